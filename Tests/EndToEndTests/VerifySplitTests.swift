import Foundation
import HongbaoTesting
import Testing

/// `hongbao verify-split` as somebody uses it who has got a share and wants to know (RP-10).
@Suite(.timeLimit(.minutes(15))) struct VerifySplitTests {
    private static let seed = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
    private static let commitment = "8440f829a25a109889b1232f6e684beb74baafd82a04b34952bf9ca86225a64f"
    private static let shares = [76, 25, 149, 29, 262, 147, 164, 93, 12, 43]

    private static func document(_ shares: [Int] = shares, commitment: String = commitment, amount: Int = 1000)
        -> String
    {
        let claims = shares.enumerated().map { #"{"position":\#($0),"amount":\#($1),"person":"4\#($0)"}"# }
        return #"{"packet":"7","amount":\#(amount),"count":10,"split":"lucky","commitment":"\#(commitment)","#
            + #""seed":"\#(seed)","claims":[\#(claims.joined(separator: ","))]}"#
    }

    private func verify(
        _ text: String,
        _ arguments: String...
    ) async throws -> (code: Int32, output: String, errors: String) {
        let folder = try TemporaryFolder()
        let path = folder.file("packet.json")
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        return try await BuiltProgram.run("hongbao", ["verify-split", path] + arguments)
    }

    @Test func whatWasPublishedAgrees() async throws {
        let (code, output, errors) = try await verify(Self.document())
        #expect(code == 0 && errors == "")
        #expect(
            output == """
                packet      7
                split       lucky, ¥10.00 in 10 shares
                commitment  agrees
                position 0  ¥0.76  agrees
                position 1  ¥0.25  agrees
                position 2  ¥1.49  agrees
                position 3  ¥0.29  agrees
                position 4  ¥2.62  agrees
                position 5  ¥1.47  agrees
                position 6  ¥1.64  agrees
                position 7  ¥0.93  agrees
                position 8  ¥0.12  agrees
                position 9  ¥0.43  agrees
                claimed     10 of 10
                luckiest    position 4, ¥2.62
                everything agrees

                """
        )
    }

    @Test func whatDiffersIsNamed() async throws {
        var shares = Self.shares
        shares.swapAt(1, 4)
        let swapped = try await verify(Self.document(shares), "--faults-only")
        #expect(swapped.code == 1 && swapped.errors == "")
        #expect(swapped.output.contains("commitment  agrees\n"))
        #expect(swapped.output.contains("position 1  ¥0.25  DIFFERS: ¥2.62 claimed\nposition 4  ¥2.62  DIFFERS: ¥0.25"))
        #expect(swapped.output.hasSuffix("2 positions differ\n") && !swapped.output.contains("position 0"))

        let other = try await verify(Self.document(), "--commitment", String(repeating: "0", count: 64))
        #expect(other.code == 1)
        #expect(other.output.contains("commitment  DIFFERS: published 0000"))
        #expect(other.output.contains("computed \(Self.commitment)\n"))
        #expect(other.output.hasSuffix("the packet isn't the one that was committed to\n"))

        #expect(try await verify(Self.document(amount: 1001)).code == 1)
        #expect(try await verify(Self.document(), "--packet", "8").code == 1)
        let stray = try await verify(Self.document(Self.shares + [1]))
        #expect(stray.code == 1 && stray.output.contains("position 10  there is none; ¥0.01 claimed\n"))
    }

    @Test func optionsAreEnough() async throws {
        let options = [
            "verify-split", "--packet", "7", "--amount", "1000", "--count", "10", "--split", "lucky",
            "--commitment", Self.commitment, "--seed", Self.seed, "--claim", "4=262",
        ]
        let good = try await BuiltProgram.run("hongbao", options)
        #expect(good.code == 0 && good.output.contains("position 4  ¥2.62  agrees\nposition 5  ¥1.47  unclaimed\n"))
        let bad = try await BuiltProgram.run("hongbao", options + ["--claim", "4=262"])
        #expect(bad.code == 1 && bad.output.contains("position 4  ¥2.62  CLAIMED TWICE\n"))
    }

    @Test(arguments: [
        ("{", "malformed at byte 1"), ("[]", "wrongType"),
        ("{}", "lacks packet, amount, count, split, commitment, seed"),
        (#"{"amount":1.5}"#, "notAnInteger in amount"), (document(amount: 9), "9 fen don't make a fen for each of 10"),
        (document().replacing(#""count":10"#, with: #""count":0"#), "count 0: a packet has at least one share"),
        (document().replacing(#""count":10"#, with: #""count":1000001"#), "at most 1000000 shares"),
    ])
    func whatCannotBeCheckedExitsWith2(text: String, words: String) async throws {
        let (code, output, errors) = try await verify(text)
        #expect(code == 2 && output == "")
        #expect(errors.hasPrefix("hongbao verify-split: ") && errors.contains(words), "\(errors)")
    }

    @Test func missingFilesAndNegativeAmountsExitWith2() async throws {
        let missing = try await BuiltProgram.run("hongbao", ["verify-split", "none.json"])
        #expect(missing.code == 2 && missing.errors.contains("none.json can't be read"), "\(missing.errors)")
        let negative = try await verify(Self.document(), "--amount=-1")
        #expect(negative.code == 2 && negative.errors.contains("negative"))
    }
}
