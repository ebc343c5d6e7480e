import GRDBSQLite

/// Who has locked a database file, and how far (SQLITE_LOCK_NONE to SQLITE_LOCK_EXCLUSIVE).
struct FileLocks {
    private var levels: [Int: Int32] = [:]

    var isReserved: Bool { levels.values.contains { $0 >= SQLITE_LOCK_RESERVED } }

    mutating func raise(_ handle: Int, to level: Int32) -> Int32 {
        guard level > levels[handle] ?? SQLITE_LOCK_NONE else { return SQLITE_OK }
        let others = levels.lazy.filter { $0.key != handle }.map(\.value)
        let isFree =
            switch level {
            case SQLITE_LOCK_SHARED: !others.contains { $0 >= SQLITE_LOCK_PENDING }
            case SQLITE_LOCK_RESERVED: !others.contains { $0 >= SQLITE_LOCK_RESERVED }
            default: !others.contains { $0 >= SQLITE_LOCK_SHARED }
            }
        guard isFree else { return SQLITE_BUSY }
        levels[handle] = level
        return SQLITE_OK
    }

    mutating func lower(_ handle: Int, to level: Int32) {
        guard level < levels[handle] ?? SQLITE_LOCK_NONE else { return }
        levels[handle] = level == SQLITE_LOCK_NONE ? nil : level
    }
}

/// The index of a log, which connections share in memory and which no power cut spares, and its eight locks.
final class SharedMemory {
    enum Left { case nobodyLeft, someLeft }

    private var regions: [UnsafeMutableRawPointer] = []
    private var shared: [Set<Int>] = Array(repeating: [], count: Int(SQLITE_SHM_NLOCK))
    private var exclusive: [Int?] = Array(repeating: nil, count: Int(SQLITE_SHM_NLOCK))
    private var users: Set<Int> = []

    deinit { for region in regions { region.deallocate() } }

    func address(ofRegion region: Int, bytes: Int, for handle: Int, extends: Bool) -> UInt {
        users.insert(handle)
        guard region < regions.count || extends else { return 0 }
        while regions.count <= region {
            let new = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 16)
            new.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
            regions.append(new)
        }
        return UInt(bitPattern: regions[region])
    }

    func lock(_ handle: Int, _ slots: Range<Int>, isExclusive: Bool) -> Int32 {
        for slot in slots {
            if let owner = exclusive[slot], owner != handle { return SQLITE_BUSY }
            if isExclusive, shared[slot].contains(where: { $0 != handle }) { return SQLITE_BUSY }
        }
        for slot in slots {
            if isExclusive { exclusive[slot] = handle } else { shared[slot].insert(handle) }
        }
        return SQLITE_OK
    }

    func unlock(_ handle: Int, _ slots: Range<Int>) {
        for slot in slots {
            if exclusive[slot] == handle { exclusive[slot] = nil }
            shared[slot].remove(handle)
        }
    }

    func leave(_ handle: Int) -> Left {
        unlock(handle, 0..<exclusive.count)
        users.remove(handle)
        return users.isEmpty ? .nobodyLeft : .someLeft
    }
}
