/// Base64 with the URL alphabet and without padding (RFC 4648, section 5), in its one canonical form.
package enum Base64URL {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    /// The value of each byte, 0xFF for those outside the alphabet.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 0xFF, count: 256)
        for (value, letter) in alphabet.enumerated() { values[Int(letter)] = UInt8(value) }
        return values
    }()

    package static func encode(_ bytes: [UInt8]) -> [UInt8] {
        let alphabet = Self.alphabet
        let count = (bytes.count * 4 + 2) / 3
        return [UInt8](unsafeUninitializedCapacity: count) { out, written in
            var from = 0
            var to = 0
            while from + 2 < bytes.count {
                let group = UInt32(bytes[from]) << 16 | UInt32(bytes[from + 1]) << 8 | UInt32(bytes[from + 2])
                out[to] = alphabet[Int(group >> 18)]
                out[to + 1] = alphabet[Int(group >> 12 & 63)]
                out[to + 2] = alphabet[Int(group >> 6 & 63)]
                out[to + 3] = alphabet[Int(group & 63)]
                from += 3
                to += 4
            }
            if from + 1 == bytes.count {
                out[to] = alphabet[Int(bytes[from] >> 2)]
                out[to + 1] = alphabet[Int(bytes[from] & 3) << 4]
                to += 2
            } else if from + 2 == bytes.count {
                let group = UInt32(bytes[from]) << 8 | UInt32(bytes[from + 1])
                out[to] = alphabet[Int(group >> 10)]
                out[to + 1] = alphabet[Int(group >> 4 & 63)]
                out[to + 2] = alphabet[Int(group & 15) << 2]
                to += 3
            }
            written = to
        }
    }

    /// Answers `nil` for padding, blanks, other alphabets, and spare bits that aren't zero: one value, one spelling.
    package static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        let values = Self.values
        guard text.count % 4 != 1 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count * 3 / 4)
        var group: UInt32 = 0
        var bits = 0
        for letter in text {
            let value = values[Int(letter)]
            guard value != 0xFF else { return nil }
            group = group << 6 | UInt32(value)
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: group >> UInt32(bits)))
            }
        }
        guard group & (1 << UInt32(bits) - 1) == 0 else { return nil }
        return bytes
    }
}
