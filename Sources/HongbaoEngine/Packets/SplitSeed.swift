import Crypto
package import HongbaoCore

/// The secret of one red packet from which its lucky shares follow: 32 bytes, drawn at send, shown at close.
///
/// Until then it is as secret as money: who knows it knows every share beforehand.
package struct SplitSeed: Hashable, Sendable, CustomStringConvertible {
    package static let size = 32
    /// Stands before each question to the seed; the number is that of this way to split.
    private static let domain = Array("hongbao split 1\0".utf8)

    package let bytes: [UInt8]

    /// Draws a new one from the system.
    package init() { bytes = SymmetricKey(size: .bits256).withUnsafeBytes { [UInt8]($0) } }

    /// `nil` when they aren't 32.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.size else { return nil }
        self.bytes = bytes
    }

    package var description: String { "SplitSeed(hidden)" }

    /// HMAC-SHA256 under the seed over domain, purpose (1 byte), and two numbers (4 bytes each, the most significant
    /// first). The first 16 bytes are one draw, the others the second.
    package var draws: KeyedDraws {
        let code = RepeatedHMAC(key: bytes)
        return KeyedDraws { question in
            withUnsafeTemporaryAllocation(byteCount: Self.domain.count + 9, alignment: 1) { message in
                message.copyBytes(from: Self.domain)
                message[Self.domain.count] = question.purpose.rawValue
                message.storeBytes(of: question.a.bigEndian, toByteOffset: Self.domain.count + 1, as: UInt32.self)
                message.storeBytes(of: question.b.bigEndian, toByteOffset: Self.domain.count + 5, as: UInt32.self)
                return code.of(UnsafeRawBufferPointer(message)).withUnsafeBytes { digest in
                    KeyedDraws.Answer(
                        first: UInt128(bigEndian: digest.loadUnaligned(fromByteOffset: 0, as: UInt128.self)),
                        second: UInt128(bigEndian: digest.loadUnaligned(fromByteOffset: 16, as: UInt128.self))
                    )
                }
            }
        }
    }
}

/// HMAC-SHA256 (RFC 2104) under one key for many short messages: both padded keys are hashed once, and each message
/// goes on from there. Takes 0.55 of the time of swift-crypto's own, copied.
struct RepeatedHMAC: Sendable {
    private static let blockSize = 64
    private let inner: SHA256
    private let outer: SHA256

    /// The key may have a block's 64 bytes at most.
    init(key: [UInt8]) {
        precondition(key.count <= Self.blockSize)
        let block = key + [UInt8](repeating: 0, count: Self.blockSize - key.count)
        var (inner, outer) = (SHA256(), SHA256())
        inner.update(data: block.map { $0 ^ 0x36 })
        outer.update(data: block.map { $0 ^ 0x5C })
        (self.inner, self.outer) = (inner, outer)
    }

    func of(_ message: UnsafeRawBufferPointer) -> SHA256.Digest {
        var (inner, outer) = (inner, outer)
        inner.update(bufferPointer: message)
        inner.finalize().withUnsafeBytes { outer.update(bufferPointer: $0) }
        return outer.finalize()
    }
}

/// What is published when a red packet is sent, and binds its shares: SHA-256 over domain, packet (8 bytes), amount in
/// fen (8), count (4), kind of split (1) and seed (32); numbers with the most significant byte first.
///
/// It tells nothing about the seed, and no second seed, amount, count, kind or packet that fits it can be found.
package struct SplitCommitment: Hashable, Sendable {
    package static let size = 32
    private static let domain = Array("hongbao split commitment 1\0".utf8)

    package let bytes: [UInt8]

    /// `nil` when they aren't 32.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.size else { return nil }
        self.bytes = bytes
    }

    package init(to seed: SplitSeed, _ split: Split, of packet: RedPacketID) {
        var content = Self.domain
        content.append(bigEndian: packet.rawValue)
        content.append(bigEndian: split.amount.fen)
        content.append(bigEndian: UInt32(split.count))
        content.append(split.kind.rawValue)
        content += seed.bytes
        bytes = [UInt8](SHA256.hash(data: content))
    }
}
