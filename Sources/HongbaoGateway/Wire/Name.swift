/// The characters that keys of campaigns, scenes, apps and rewards may have: `[A-Za-z0-9_.-]`, 1 to 64 of them.
enum Name {
    static let lengthMax = 64

    private static let isLetter: [Bool] = {
        var table = [Bool](repeating: false, count: 256)
        for byte in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-".utf8 { table[Int(byte)] = true }
        return table
    }()

    static func isValid(_ bytes: some Collection<UInt8>) -> Bool {
        let table = isLetter
        return (1...lengthMax).contains(bytes.count) && bytes.allSatisfy { table[Int($0)] }
    }
}

/// Gives the string for some bytes without making it again when it's the same as the last time, as it is for nearly
/// all items of a batch.
struct NameCache {
    private var last = ""

    mutating func string(_ bytes: some Collection<UInt8>) -> String {
        if last.utf8.elementsEqual(bytes) { return last }
        last = String(decoding: bytes, as: UTF8.self)
        return last
    }
}

extension JSONReader {
    /// Reads the key of something that is configured.
    mutating func name(_ cache: inout NameCache) throws(JSONFault) -> String {
        let bytes = try ascii(length: 1...Name.lengthMax)
        guard Name.isValid(bytes) else { throw fault(.unacceptableCharacter) }
        return cache.string(bytes)
    }
}
