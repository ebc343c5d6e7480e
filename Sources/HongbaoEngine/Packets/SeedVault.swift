import Crypto
import CryptoExtras
package import HongbaoCore

/// Keeps the seeds of packets from those who only read the store: wrapped like data keys (RFC 3394).
package struct SeedVault: Sendable {
    private let wrapping: SymmetricKey

    package init(_ keyring: Keyring) { wrapping = keyring.walletWrapping }

    /// What a packet keeps of its seed: the published commitment, and the seed wrapped.
    package func seal(_ seed: SplitSeed, _ split: Split, of packet: RedPacketID) -> RedPacket.Seal {
        do {
            let sealed = try AES.KeyWrap.wrap(SymmetricKey(data: seed.bytes), using: wrapping)
            return RedPacket.Seal(
                commitment: SplitCommitment(to: seed, split, of: packet).bytes,
                sealedSeed: [UInt8](sealed)
            )
        } catch {
            preconditionFailure("a seed of 32 bytes can always be wrapped: \(error)")
        }
    }

    /// Throws `corrupt` when it was sealed by another keyring, or isn't what this packet was committed to.
    package func open(_ packet: RedPacket) throws(StoreError) -> SplitSeed {
        let place = "red packet \(packet.id.rawValue)"
        let bytes: [UInt8]
        do {
            bytes = try AES.KeyWrap.unwrap(packet.seal.sealedSeed, using: wrapping).withUnsafeBytes { [UInt8]($0) }
        } catch {
            throw StoreError(.corrupt, "the seed of \(place) was sealed by another keyring")
        }
        guard let seed = SplitSeed(bytes),
            SplitCommitment(to: seed, packet.split, of: packet.id).bytes == packet.seal.commitment
        else { throw StoreError(.corrupt, "the seed of \(place) isn't the one it was committed to") }
        return seed
    }
}
