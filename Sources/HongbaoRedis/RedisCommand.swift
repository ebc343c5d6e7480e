/// A command as it goes over the wire.
package struct RedisCommand: Hashable, Sendable {
    package let bytes: [UInt8]
    /// The slot of its key; `nil` for commands without one, which any node of a cluster answers.
    package let slot: KeySlot?
    /// Whether running it twice does what running it once does. Only then is it sent again when nobody knows whether
    /// it ran.
    package let isIdempotent: Bool

    /// - Parameters:
    ///   - words: the command's name and its arguments.
    ///   - key: the one of the words that is its key, or the first of several in one slot.
    package init(_ words: [String], key: String? = nil, isIdempotent: Bool) {
        self.init(words.lazy.map(\.utf8), key: key, isIdempotent: isIdempotent)
    }

    /// The same, of words that needn't be text.
    package init(bytes words: [[UInt8]], key: String? = nil, isIdempotent: Bool) {
        self.init(words, key: key, isIdempotent: isIdempotent)
    }

    private init(_ words: some Collection<some Collection<UInt8>>, key: String?, isIdempotent: Bool) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(words.reduce(16) { $0 + $1.count + 16 })
        bytes.append(contentsOf: "*\(words.count)\r\n".utf8)
        for word in words {
            bytes.append(contentsOf: "$\(word.count)\r\n".utf8)
            bytes.append(contentsOf: word)
            bytes.append(contentsOf: "\r\n".utf8)
        }
        self.bytes = bytes
        self.slot = key.map { KeySlot($0) }
        self.isIdempotent = isIdempotent
    }
}

/// Which of the 16,384 parts of a cluster a key is in.
package struct KeySlot: Hashable, Sendable {
    package static let count = 16_384

    package let number: Int

    package init?(number: Int) {
        guard (0..<Self.count).contains(number) else { return nil }
        self.number = number
    }

    /// By what is between the first `{` and the `}` behind it, unless that is empty; else by the whole key. So keys
    /// with the same tag are on the same node.
    package init(_ key: String) {
        let bytes = Array(key.utf8)
        var tag = bytes[...]
        if let open = bytes.firstIndex(of: UInt8(ascii: "{")) {
            let behind = bytes[(open + 1)...]
            if let close = behind.firstIndex(of: UInt8(ascii: "}")), close > open + 1 { tag = behind[..<close] }
        }
        number = Int(Self.checksum(tag)) % Self.count
    }

    /// CRC-16 with polynomial 0x1021, starting at 0, most significant bit first (XMODEM), as the Redis Cluster
    /// specification says.
    private static func checksum(_ bytes: some Sequence<UInt8>) -> UInt16 {
        var sum: UInt16 = 0
        for byte in bytes {
            sum ^= UInt16(byte) << 8
            for _ in 0..<8 { sum = sum & 0x8000 == 0 ? sum << 1 : sum << 1 ^ 0x1021 }
        }
        return sum
    }
}
