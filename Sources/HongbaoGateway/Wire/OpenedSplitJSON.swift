package import HongbaoCore
package import HongbaoEngine

/// A red packet's opened split as a JSON document, as far as it says.
///
///     {"packet":"7","amount":1000,"count":10,"split":"lucky","commitment":"8440…","seed":"0001…",
///      "claims":[{"position":0,"amount":76}]}
///
/// An answer of `GET /v1/red-packets/{packet}/claims` is one too: there all but the claims is within `reveal`.
/// `packet` is a decimal string, amounts are fen, commitment and seed are hexadecimal, positions count from 0 in the
/// order of claims. Other fields are passed over, so that an answer of the API can be read as it is.
package struct OpenedSplitJSON: Hashable, Sendable {
    package var packet: UInt64?
    package var amount: Int64?
    package var count: Int64?
    package var kind: SplitKind?
    package var commitment: SplitCommitment?
    package var seed: SplitSeed?
    package var claims: [OpenedSplit.Claim] = []

    private enum Field: String, CaseIterable { case packet, amount, count, split, commitment, seed, claims, reveal }
    private enum ClaimField: String, CaseIterable { case position, amount }

    private static let fields = JSONFields<Field>()
    private static let claimFields = JSONFields<ClaimField>()
    /// More claims than any packet has: what is too much of them is for the check to say.
    private static let claimCountMax = 2 * Split.countMax

    /// Knows nothing yet.
    package init() {}

    package init(_ bytes: [UInt8]) throws(JSONFault) {
        var reader = JSONReader(bytes)
        try read(&reader, isReveal: false)
        try reader.finish()
    }

    /// What is there twice, once within `reveal`, must be the same.
    private mutating func read(_ reader: inout JSONReader, isReveal: Bool) throws(JSONFault) {
        try reader.object(Self.fields, unknown: .skipped) { reader, field throws(JSONFault) in
            switch field {
            case .packet: try Self.set(&packet, try reader.decimal(UInt64.self), reader)
            case .amount: try Self.set(&amount, try reader.integer(Int64.self, in: 0...Int64.max), reader)
            case .count: try Self.set(&count, try reader.integer(), reader)
            case .split: try Self.set(&kind, Self.kind(try reader.identifier()), reader)
            case .commitment:
                let bytes = try Self.bytes(&reader, SplitCommitment.size)
                try Self.set(&commitment, bytes.flatMap { SplitCommitment($0) }, reader)
            case .seed:
                let bytes = try Self.bytes(&reader, SplitSeed.size)
                try Self.set(&seed, bytes.flatMap { SplitSeed($0) }, reader)
            case .claims where !isReveal:
                try reader.array(max: Self.claimCountMax) { reader throws(JSONFault) in
                    claims.append(try Self.claim(&reader))
                }
            case .reveal where !isReveal: try read(&reader, isReveal: true)
            case .claims, .reveal: try reader.skip()
            }
        }
    }

    private static func set<Value: Equatable>(
        _ place: inout Value?,
        _ value: Value?,
        _ reader: JSONReader
    ) throws(JSONFault) {
        guard let value else { throw reader.fault(.outOfRange) }
        guard place == nil || place == value else { throw reader.fault(.duplicateField) }
        place = value
    }

    /// The kinds' names in the API.
    package static func kind(_ name: String) -> SplitKind? {
        SplitKind.allCases.first { $0.name == name }
    }

    private static func bytes(_ reader: inout JSONReader, _ size: Int) throws(JSONFault) -> [UInt8]? {
        [UInt8](hexDigits: try reader.ascii(length: 2 * size...2 * size))
    }

    private static func claim(_ reader: inout JSONReader) throws(JSONFault) -> OpenedSplit.Claim {
        var position: Int?
        var amount: Amount?
        try reader.object(claimFields, unknown: .skipped) { reader, field throws(JSONFault) in
            switch field {
            case .position: position = try reader.integer(Int.self)
            case .amount:
                amount = Amount(fen: try reader.integer())
                guard amount != nil else { throw reader.fault(.outOfRange) }
            }
        }
        guard let position else { throw .missing(ClaimField.position) }
        guard let amount else { throw .missing(ClaimField.amount) }
        return OpenedSplit.Claim(position: position, amount: amount)
    }
}
