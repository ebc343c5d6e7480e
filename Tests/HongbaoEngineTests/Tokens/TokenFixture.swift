import Crypto
import HongbaoCore

@testable import HongbaoEngine

extension SplitMix64 {
    /// Small and large numbers alike: as many bits as chance has it.
    mutating func number<Value: FixedWidthInteger>(_: Value.Type = Value.self) -> Value {
        let bits = Int.random(in: 0...64, using: &self)
        return Value(truncatingIfNeeded: bits == 0 ? 0 : next() >> UInt64(64 - bits))
    }

    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }

    mutating func payload(amountMax: Int64 = .max / 256) -> GrantPayload {
        GrantPayload(
            app: AppID(number()),
            order: OrderNumber(
                person: PersonID(number()),
                scene: SceneID(number()),
                rain: RainID(number()),
                awardType: number(),
                stage: number()
            ),
            amount: fen(Int64(truncatingIfNeeded: number(UInt64.self) & UInt64(Int64.max)) % amountMax),
            openedAt: Timestamp(milliseconds: number()),
            status: Bool.random(using: &self) ? .processing : .credited
        )
    }

    mutating func payloads(_ count: Int) -> [GrantPayload] { (0..<count).map { _ in payload() } }
}

func fen(_ fen: Int64) -> Amount { Amount(fen: fen) ?? .zero }

func hex(_ text: String) -> [UInt8] {
    let digits = text.filter { !$0.isWhitespace }.compactMap { $0.hexDigitValue }
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

/// A mint, and two verifiers that know its epoch: one may read payloads, one may not.
struct TokenFixture {
    static let noon = Timestamp(milliseconds: 1_643_638_200_000)

    let keyring = Keyring()
    let keys: EpochKeys
    let sealer: BatchSealer
    let reading: TokenVerifier
    let blind: TokenVerifier

    init(epoch: UInt32 = 7) {
        keys = EpochKeys.mint(MintID(3), epoch: epoch, cap: fen(1 << 40), at: Self.noon, keyring: keyring)
        sealer = BatchSealer(keys)
        reading = TokenVerifier(root: keyring.rootPublicKey)
        blind = TokenVerifier(root: keyring.rootPublicKey)
        _ = reading.admit(keys.certificate, dataKey: keys.dataKey)
        _ = blind.admit(keys.certificate)
    }

    func sealed(_ count: Int, seed: UInt64 = 1, sequence: UInt64 = 1) -> (payloads: [GrantPayload], tokens: BatchTokens)
    {
        var random = SplitMix64(seed: seed)
        let payloads = random.payloads(count)
        return (payloads, sealer.sealWithTokens(payloads, sequence: sequence, at: Self.noon))
    }

    func verdict(_ bytes: [UInt8]) -> TokenVerdict { reading.verify(bytes, now: Self.noon) }
}
