extension Span<UInt8> {
    /// Reads an integer whose first byte is the most significant one. All its bytes must be there.
    @inlinable
    package func bigEndian<Value: FixedWidthInteger>(at offset: Int) -> Value {
        let size = Value.bitWidth / 8
        precondition(offset >= 0 && offset <= count - size)
        var value: Value = 0
        for index in offset..<offset + size {
            value = value << 8 | Value(truncatingIfNeeded: self[index])
        }
        return value
    }
}

extension [UInt8] {
    @inlinable
    package mutating func append(bigEndian value: some FixedWidthInteger) {
        for shift in stride(from: value.bitWidth - 8, through: 0, by: -8) {
            append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }
}

/// The first 24 bytes of a SHA-256: what a node of a batch's Merkle tree is. Two of them and a prefix fill one block.
package struct Digest192: Hashable, Sendable {
    package static let size = 24

    package let a: UInt64
    package let b: UInt64
    package let c: UInt64

    /// Takes the first 24 of the bytes; there must be as many.
    package init(_ bytes: Span<UInt8>, at offset: Int = 0) {
        a = bytes.bigEndian(at: offset)
        b = bytes.bigEndian(at: offset + 8)
        c = bytes.bigEndian(at: offset + 16)
    }

    package func append(to bytes: inout [UInt8]) {
        bytes.append(bigEndian: a)
        bytes.append(bigEndian: b)
        bytes.append(bigEndian: c)
    }
}
