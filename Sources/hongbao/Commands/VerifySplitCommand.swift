import ArgumentParser
import Foundation
import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import HongbaoServer

struct VerifySplitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify-split",
        abstract: "Check the shares of an opened red packet against its commitment.",
        discussion: """
            Computes every share again from the opened seed, and says for each position (from 0, in the order of \
            claims) what the share is and whether the claim got it. FILE is JSON; - reads standard input:

              {"packet":"7","amount":1000,"count":10,"split":"lucky",
               "commitment":"…","seed":"…","claims":[{"position":0,"amount":76}]}

            Options override the file. Pass --commitment as you saw it when the packet was sent: one that comes \
            together with the seed proves little.

            Exit codes: 0 everything agrees, 1 something differs, 2 could not check, 64 usage.
            """
    )

    @Argument(help: "JSON document of the opened packet, or -.")
    var file: String?
    @Option(help: "The packet's ID.")
    var packet: UInt64?
    @Option(help: "The packet's amount in fen.")
    var amount: Int64?
    @Option(help: "Number of shares.")
    var count: Int64?
    @Option(help: "lucky or equal.", transform: Self.kind)
    var split: SplitKind?
    @Option(help: "What was published at send: 64 hexadecimal digits.", transform: Self.commitment)
    var commitment: SplitCommitment?
    @Option(help: "What was opened at the end: 64 hexadecimal digits.", transform: Self.seed)
    var seed: SplitSeed?
    @Option(
        name: .customLong("claim"),
        help: "POSITION=FEN, repeatable; replaces those of the file.",
        transform: Self.claim
    )
    var claims: [OpenedSplit.Claim] = []
    @Flag(help: "Print positions only where something differs.")
    var faultsOnly = false

    /// A document isn't larger, with a million claims of a hundred bytes each.
    private static let sizeMax = 128 << 20

    func run() throws {
        var document = try file.map { try Self.document($0) } ?? OpenedSplitJSON()
        document.packet = packet ?? document.packet
        document.amount = amount ?? document.amount
        document.count = count ?? document.count
        document.kind = split ?? document.kind
        document.commitment = commitment ?? document.commitment
        document.seed = seed ?? document.seed
        if !claims.isEmpty { document.claims = claims }

        let opened = try opened(document)
        let report = opened.verify()
        SplitReportText.write(opened, report, faultsOnly: faultsOnly) { FileHandle.standardOutput.write(Data($0.utf8)) }
        if !report.holds { throw ExitCode.problem }
    }

    private func opened(_ document: OpenedSplitJSON) throws -> OpenedSplit {
        guard
            let packet = document.packet, let fen = document.amount, let count = document.count,
            let kind = document.kind, let commitment = document.commitment, let seed = document.seed
        else { throw missing(from: document) }
        guard let amount = Amount(fen: fen) else { throw Self.fault("the amount is negative") }
        guard let shares = Int(exactly: count) else { throw Self.fault("count \(count) is too large") }
        guard let split = Split(kind, amount: amount, count: shares) else {
            switch Split.refusal(amount: amount, count: shares) {
            case .noShares: throw Self.fault("count \(count): a packet has at least one share")
            case .tooManyShares: throw Self.fault("count \(count): a packet has at most \(Split.countMax) shares")
            case .belowOneFenEach, nil: throw Self.fault("\(fen) fen don't make a fen for each of \(count) shares")
            }
        }
        return OpenedSplit(
            packet: RedPacketID(packet),
            split: split,
            seed: seed,
            commitment: commitment,
            claims: document.claims
        )
    }

    /// Without a file it's the command line that is wrong.
    private func missing(from document: OpenedSplitJSON) -> any Error {
        let parts = [
            ("packet", document.packet == nil), ("amount", document.amount == nil), ("count", document.count == nil),
            ("split", document.kind == nil), ("commitment", document.commitment == nil), ("seed", document.seed == nil),
        ]
        let names = parts.filter(\.1).map(\.0)
        guard let file else {
            return ValidationError("missing without a file: " + names.map { "--\($0)" }.joined(separator: ", "))
        }
        return Self.fault("\(file) lacks \(names.joined(separator: ", "))")
    }

    private static func document(_ file: String) throws -> OpenedSplitJSON {
        let name = file == "-" ? "standard input" : file
        let bytes: [UInt8]
        do {
            let handle = file == "-" ? .standardInput : try FileHandle(forReadingFrom: URL(filePath: file))
            bytes = [UInt8](try handle.read(upToCount: sizeMax + 1) ?? Data())
        } catch {
            throw fault("\(name) can't be read: \(error.localizedDescription)")
        }
        guard bytes.count <= sizeMax else { throw fault("\(name) is larger than \(sizeMax) bytes") }
        do throws(JSONFault) {
            return try OpenedSplitJSON(bytes)
        } catch {
            let field = error.field.map { " in \($0)" } ?? ""
            throw fault("\(name): \(error.reason.rawValue)\(field) at byte \(error.offset)")
        }
    }

    private static func fault(_ text: String) -> ExitCode {
        FileHandle.standardError.write(Data("hongbao verify-split: \(text)\n".utf8))
        return .couldNotRun
    }

    // MARK: Options

    private static func kind(_ text: String) throws -> SplitKind {
        guard let kind = OpenedSplitJSON.kind(text) else { throw ValidationError("neither lucky nor equal") }
        return kind
    }

    private static func commitment(_ text: String) throws -> SplitCommitment {
        guard let commitment = [UInt8](hex: text).flatMap({ SplitCommitment($0) }) else {
            throw ValidationError("not 64 hexadecimal digits")
        }
        return commitment
    }

    private static func seed(_ text: String) throws -> SplitSeed {
        guard let seed = [UInt8](hex: text).flatMap({ SplitSeed($0) }) else {
            throw ValidationError("not 64 hexadecimal digits")
        }
        return seed
    }

    private static func claim(_ text: String) throws -> OpenedSplit.Claim {
        let parts = text.split(separator: "=", omittingEmptySubsequences: false)
        guard
            parts.count == 2, let position = Int(parts[0]), let amount = Int64(parts[1]).flatMap({ Amount(fen: $0) })
        else { throw ValidationError("not POSITION=FEN") }
        return OpenedSplit.Claim(position: position, amount: amount)
    }
}
