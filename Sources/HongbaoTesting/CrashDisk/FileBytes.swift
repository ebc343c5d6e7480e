import Glibc

/// The bytes of a file. Copies whole ranges of memory, so that it's quick in debug builds, too.
struct FileBytes {
    /// At least `count`; zeros from there on.
    private var storage: [UInt8]
    private(set) var count: Int

    init(_ bytes: [UInt8]) {
        storage = bytes
        count = bytes.count
    }

    /// Calls `body` with the bytes.
    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try storage.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[0..<count])) }
    }

    /// Fills a buffer; what is beyond the end reads as zeros.
    ///
    /// - Returns: how many bytes there were.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
        let found = max(0, min(buffer.count, count - offset))
        guard let start = buffer.baseAddress else { return 0 }
        storage.withUnsafeBytes { own in
            if found > 0, let own = own.baseAddress { start.copyMemory(from: own + offset, byteCount: found) }
        }
        memset(start + found, 0, buffer.count - found)
        return found
    }

    /// What is between the end and a later offset becomes zeros.
    mutating func put(_ bytes: ArraySlice<UInt8>, at offset: Int) {
        resize(to: max(count, offset + bytes.count))
        storage.withUnsafeMutableBytes { own in
            bytes.withUnsafeBytes { new in
                guard let own = own.baseAddress, let new = new.baseAddress else { return }
                (own + offset).copyMemory(from: new, byteCount: bytes.count)
            }
        }
    }

    mutating func resize(to newCount: Int) {
        if newCount > storage.count { grow(to: max(newCount, 2 * storage.count)) }
        if newCount < count {
            storage.withUnsafeMutableBytes { own in
                if let own = own.baseAddress { _ = memset(own + newCount, 0, count - newCount) }
            }
        }
        count = newCount
    }

    private mutating func grow(to capacity: Int) {
        storage = [UInt8](unsafeUninitializedCapacity: capacity) { new, initializedCount in
            guard let target = new.baseAddress else { return }
            storage.withUnsafeBytes { old in
                if let old = old.baseAddress { UnsafeMutableRawPointer(target).copyMemory(from: old, byteCount: count) }
            }
            memset(target + count, 0, capacity - count)
            initializedCount = capacity
        }
    }
}
