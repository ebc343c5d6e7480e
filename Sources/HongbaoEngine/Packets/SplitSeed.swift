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
        let keyed = HMAC<SHA256>(key: SymmetricKey(data: bytes))
        return KeyedDraws { question in
            var message = Self.domain
            message.reserveCapacity(Self.domain.count + 9)
            message.append(question.purpose.rawValue)
            message.append(bigEndian: question.a)
            message.append(bigEndian: question.b)
            var code = keyed
            message.withUnsafeBytes { code.update(data: $0) }
            return code.finalize().withUnsafeBytes { digest in
                KeyedDraws.Answer(
                    first: UInt128(bigEndian: digest.loadUnaligned(fromByteOffset: 0, as: UInt128.self)),
                    second: UInt128(bigEndian: digest.loadUnaligned(fromByteOffset: 16, as: UInt128.self))
                )
            }
        }
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
