import Crypto
package import HongbaoCore
package import HongbaoEngine

/// Good tokens of a mint whose keys everybody may know, the same at each start, and a verifier that accepts them.
///
/// Two epochs, and batches of sizes that give every shape of path: one without siblings, full trees, ragged ones.
package struct FuzzTokens: Sendable {
    package struct Good: Sendable {
        package let bytes: [UInt8]
        package let payload: GrantPayload
        /// Which batch it's from.
        package let batch: Int
    }

    package static let now = Timestamp(milliseconds: 1_643_638_200_000)
    static let shared = FuzzTokens()

    package let tokens: [Good]
    package let batches: [SealedBatch]
    private let keyring = Keyring()
    private let epochs: [EpochKeys]

    package init() {
        epochs = [Self.epoch(7, keyring: keyring), Self.epoch(8, keyring: keyring)]
        var random = SplitMix64(seed: 2022)
        var tokens: [Good] = []
        var batches: [SealedBatch] = []
        for (number, count) in [1, 2, 3, 8, 8, 13, 256].enumerated() {
            let payloads = (0..<count).map { _ in Self.payload(&random) }
            let sealed = BatchSealer(epochs[number % 2]).seal(
                payloads,
                sequence: UInt64(number + 1),
                at: Self.now,
                nonce: UInt128(random.next()) << 64 | UInt128(random.next())
            )
            // Of the largest batch a few, so that all batches get about the same attention.
            for index in stride(from: 0, to: count, by: max(1, count / 16)) {
                tokens.append(Good(bytes: sealed[index], payload: payloads[index], batch: number))
            }
            batches.append(sealed.batch)
        }
        self.tokens = tokens
        self.batches = batches
    }

    package func verifier() -> TokenVerifier {
        let verifier = TokenVerifier(root: keyring.rootPublicKey)
        for keys in epochs { _ = verifier.admit(keys.certificate, dataKey: keys.dataKey) }
        return verifier
    }

    func reader(_ batch: SealedBatch) -> BatchReader {
        BatchReader(batch, dataKey: epochs[batch.header.epoch == 8 ? 1 : 0].dataKey)
    }

    private static func epoch(_ number: UInt32, keyring: Keyring) -> EpochKeys {
        let seed = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 32)
        do {
            return EpochKeys(
                mint: MintID(3),
                epoch: number,
                cap: Amount.zero,
                notBefore: now,
                notAfter: now.advanced(bySeconds: 86_400),
                signingKey: try Curve25519.Signing.PrivateKey(rawRepresentation: seed),
                dataKey: DataKey(seed),
                keyring: keyring
            )
        } catch {
            preconditionFailure("any 32 bytes are a key of Ed25519: \(error)")
        }
    }

    private static func payload(_ random: inout SplitMix64) -> GrantPayload {
        let order = OrderNumber(bits: UInt128(random.next() >> random.next(below: 64)) << 64 | UInt128(random.next()))
        return GrantPayload(
            app: AppID(UInt16(truncatingIfNeeded: random.next(below: 300))),
            order: order,
            amount: Amount(fen: Int64(random.next(below: 20_000))) ?? .zero,
            openedAt: now
        )
    }
}
