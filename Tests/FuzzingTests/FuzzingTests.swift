import Foundation
import HongbaoCore
import HongbaoEngine
import HongbaoFuzzing
import Testing

/// What libFuzzer looks for at length, for a moment in each run of the tests: the corpus, and what a seeded mutator
/// makes of it.
@Suite struct FuzzingTests {
    static let corpus = URL(filePath: #filePath).appending(path: "../../Corpus").standardized.path

    @Test(arguments: FuzzTarget.allCases) func theCorpusHolds(_ target: FuzzTarget) throws {
        let inputs = try Corpus.load(target, in: Self.corpus)
        #expect(inputs.count > 10)
        for (name, bytes) in inputs {
            #expect(bytes.count <= target.lengthMax, "\(name)")
            #expect(throws: Never.self, "\(target.rawValue)/\(name)") { try target.check(bytes) }
            // Every beginning of it, too.
            for count in 0..<min(bytes.count, 300) {
                #expect(throws: Never.self, "\(target.rawValue)/\(name), \(count) bytes") {
                    try target.check(Array(bytes.prefix(count)))
                }
            }
        }
    }

    @Test(arguments: FuzzTarget.allCases, 0..<4 as Range<UInt64>)
    func whatIsMadeOfTheCorpusHolds(_ target: FuzzTarget, seed: UInt64) throws {
        let seeds = try Corpus.load(target, in: Self.corpus).map(\.bytes)
        var run = FuzzRun(target, seeds: seeds, seed: seed)
        let report = run.run(executions: target == .campaign || target == .record ? 250 : 2_000)
        for finding in report.findings {
            Issue.record("\(finding.breach): \(Data(finding.input).base64EncodedString())")
        }
        #expect(report.findingCount == 0)
    }

    @Test func theSameSeedGivesTheSameInputs() throws {
        let seeds = try Corpus.load(.json, in: Self.corpus).map(\.bytes)
        func inputs(_ seed: UInt64) -> [[UInt8]] {
            var mutator = Mutator(seeds: seeds, words: FuzzTarget.json.words, lengthMax: 4096, seed: seed)
            return (0..<200).map { _ in mutator.next() }
        }
        #expect(inputs(1) == inputs(1))
        #expect(inputs(1) != inputs(2))
        #expect(inputs(1).allSatisfy { $0.count <= 4096 })
        // Not the seeds again and again, nor noise only.
        #expect(Set(inputs(1)).count > 150)
        #expect(inputs(1).filter { $0.starts(with: Array(#"{"campaign":"test""#.utf8)) }.count > 20)
    }

    /// A reader that is planted wrong is found out: numbers with a leading zero pass for order numbers.
    @Test func whatDoesNotHoldIsFound() throws {
        let seeds = try Corpus.load(.order, in: Self.corpus).map(\.bytes)
        let mutator = Mutator(seeds: seeds, words: FuzzTarget.order.words, lengthMax: 96, seed: 1)
        var run = FuzzRun(mutator) { (input) throws(FuzzBreach) in
            let parts = input.split(separator: UInt8(ascii: "_"), omittingEmptySubsequences: false)
            let numbers = parts.compactMap { UInt64(String(decoding: $0, as: UTF8.self)) }
            guard parts.count == 5, numbers.count == 5 else { return }
            let text = numbers.map(String.init).joined(separator: "_")
            if Array(text.utf8) != input { throw FuzzBreach("two spellings") }
        }
        let report = run.run(executions: 2_000)
        #expect(report.findingCount > 0)
        #expect(report.findings.allSatisfy { $0.breach == FuzzBreach("two spellings") })
        #expect(report.executions == 2_000 && report.slowest > .zero)
    }
}

/// TK-3, TK-9, M13: changed tokens are refused.
@Suite struct TokenMutationTests {
    @Test(arguments: 0..<3 as Range<UInt64>) func noneIsAccepted(seed: UInt64) {
        let tokens = FuzzTokens()
        var run = TokenMutationRun(tokens, seed: seed)
        let report = run.run(count: 4_000)
        #expect(report.accepted.isEmpty)
        #expect(report.count == 4_000)
        #expect(TokenMutations.Kind.allCases.allSatisfy { report.byKind[$0, default: 0] > 20 })
        // They get as far as each check.
        let expected: [TokenRefusal] = [
            .malformed, .unknownEpoch, .outsideEpoch, .badSignature, .badPath, .wrongPerson, .wrongCampaign,
        ]
        for refusal in expected {
            #expect(report.byRefusal[refusal, default: 0] > 5, "\(refusal)")
        }
        #expect(run.acceptsTheGoodOnes())
    }

    /// Before anything is left to chance, every bit of the tokens is turned.
    @Test func everyBitIsTurned() {
        let tokens = FuzzTokens()
        var mutations = TokenMutations(tokens, seed: 0)
        let first = tokens.tokens[0].bytes
        var turned: [[UInt8]] = []
        while turned.count < first.count * 8 {
            let forgery = mutations.next()
            if forgery.kind == .bit { turned.append(forgery.bytes) }
        }
        var expected: [[UInt8]] = []
        for bit in 0..<first.count * 8 {
            var bytes = first
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            expected.append(bytes)
        }
        #expect(turned == expected)
    }
}
