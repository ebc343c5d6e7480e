import HongbaoCore
import HongbaoSQLite
import HongbaoTesting
import Testing

@testable import HongbaoEngine

/// Data that was damaged, or isn't ours: the engine doesn't start on it, says why, and changes nothing.
@Suite(.timeLimit(.minutes(15))) struct DamageTests {
    /// Four batches, of which the last two aren't posted.
    private static func grown() async throws -> EngineRig {
        let rig = try EngineRig()
        try await rig.run { engine in
            for rain in 1...4 as ClosedRange<UInt16> {
                engine.poster.setPaused(rain > 2)
                let answers = await engine.granting.grant(
                    (1...3).map { .forTests(person: $0, rain: rain, rewardID: $0 == 2 ? "cash-big" : nil) }
                )
                #expect(answers.allSatisfy { $0.granted != nil })
                if rain == 2 { try await engine.drain() }
            }
        }
        return rig
    }

    private static func startFault(_ rig: EngineRig) async throws -> StoreError? {
        do {
            try await rig.run { _ in }
            return nil
        } catch let error as StoreError {
            return error
        }
    }

    /// Every byte of a record but the two for each reward's number is under the signature: the audit finds each flip.
    /// The start finds those that change who gets how much.
    @Test func everyFlippedByteOfABatchIsFound() async throws {
        let rig = try await Self.grown()
        let size = try await BrokenStore.recordSize(rig.folder, sequence: 3)
        let payloads = 4 + SealedBatch.preambleSize + 3
        let rewards = size - 2 * 3
        let store = try await SQLiteStore.reopened(folder: rig.folder.path)
        for byte in 0..<rewards {
            try await BrokenStore.flip(rig.folder, sequence: 3, byte: byte)
            let report = try await Audit.run(store, keyring: rig.keyring)
            let breached = report.checks.filter { $0.breachCount > 0 }.map(\.invariant)
            #expect(breached.contains("TK"), "byte \(byte): \(breached)")
            // And back, by the same flip.
            try await BrokenStore.flip(rig.folder, sequence: 3, byte: byte)
        }
        #expect(try await Audit.run(store, keyring: rig.keyring).holds)
        try await store.close()
        // Starting is dearer, so it's asked for a part of them.
        var startFinds = 0
        for byte in [0, 1, 2, 3] + Array(stride(from: 4, to: rewards, by: 7)) {
            var damaged = rig
            damaged.folder = try BrokenStore.copy(of: rig.folder)
            try await BrokenStore.flip(damaged.folder, sequence: 3, byte: byte)
            let fault = try await Self.startFault(damaged)
            guard let fault else { continue }
            startFinds += 1
            #expect(fault.code == .corrupt)
            #expect(fault.message.contains("batch 3 of mint 1"), "\(fault)")
        }
        #expect(startFinds > (rewards - payloads) / 14)
    }

    @Test(arguments: 1...4)
    func aMissingBatchIsNamed(sequence: Int) async throws {
        let rig = try await Self.grown()
        try await BrokenStore.alter(rig.folder, "DELETE FROM grant_batch WHERE sequence = \(sequence)")
        let fault = try await Self.startFault(rig)
        #expect(fault?.code == .corrupt)
        #expect(fault?.message == "batch \(sequence) of mint 1 is missing from the log")
        let report = try await Audit.run(rig.folder, keyring: rig.keyring)
        #expect(report.checks.contains { $0.invariant == "TK" && $0.breachCount > 0 })
    }

    /// A batch in another one's place isn't taken for it, though its signature is good (M3).
    @Test func aCopiedBatchIsRefused() async throws {
        let rig = try await Self.grown()
        try await BrokenStore.alter(
            rig.folder,
            """
            UPDATE mint SET last_sequence = 5;
            INSERT INTO grant_batch SELECT mint, 5, epoch, count, total, at, record, pieces FROM grant_batch
                WHERE sequence = 4;
            """
        )
        let fault = try await Self.startFault(rig)
        #expect(fault?.code == .corrupt)
        #expect(fault?.message.contains("batch 5 of mint 1") == true)
    }

    /// A start with another installation's keyring fails, and leaves the data as good as it was.
    @Test func anotherKeyringIsRefusedAndDoesNoHarm() async throws {
        let rig = try await Self.grown()
        var strange = rig
        strange.keyring = Keyring()
        for _ in 0..<2 {
            let fault = try await Self.startFault(strange)
            #expect(fault?.code == .corrupt)
            #expect(fault?.message.contains("keyring") == true, "\(String(describing: fault))")
        }
        await #expect(throws: StoreError.self) { try await Audit.run(rig.folder, keyring: strange.keyring) }
        try await rig.run { engine in
            #expect(engine.granting.orderCount == 12)
            #expect(await engine.granting.grant([.forTests(person: 1)]).first?.granted?.isReplay == true)
            #expect(await engine.granting.grant([.forTests(person: 9)]).first?.granted?.isReplay == false)
            try await engine.drain()
            #expect(try await Audit.run(engine.store, keyring: rig.keyring).holds)
        }
    }

    @Test func aStrangeCertificateIsRefused() async throws {
        let rig = try await Self.grown()
        try await BrokenStore.alter(
            rig.folder,
            "UPDATE epoch SET certificate = CAST(substr(certificate, 1, 65) || zeroblob(64) AS BLOB)"
        )
        let fault = try await Self.startFault(rig)
        #expect(fault?.code == .corrupt)
        #expect(fault?.message.contains("isn't certified") == true)
        let report = try await Audit.run(rig.folder, keyring: rig.keyring)
        #expect(report.checks.filter { $0.breachCount > 0 }.map(\.invariant) == ["TK"])
    }
}
