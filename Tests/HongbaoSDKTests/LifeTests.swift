import Foundation
import HongbaoSDK
import HongbaoTesting
import Logging
import ServiceLifecycle
import Synchronization
import Testing

/// Opening, running and ending (SK-1).
@Suite(.timeLimit(.minutes(5))) struct LifeTests {
    private struct Unlucky: Error {}

    /// Beside others in a group, which ends all of them; afterwards the folder is free and nothing is answered.
    @Test func itIsAService() async throws {
        let embedded = try Embedded()
        let hongbao = try await Hongbao.open(embedded.configuration)
        await Self.expect(.unavailable) { try await Hongbao.open(embedded.configuration) }
        let group = ServiceGroup(services: [hongbao], logger: embedded.configuration.logger)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            // Until it runs it says so.
            var answer = await hongbao.grant([Embedded.request(1, fen: 7)])[0]
            while case .failure(let error) = answer, error.code == .notRunning {
                await Task.yield()
                answer = await hongbao.grant([Embedded.request(1, fen: 7)])[0]
            }
            #expect(try answer.get().amount == Money(fen: 7))
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
        await Self.expect(.notRunning) { try await hongbao.grant(Embedded.request(2, fen: 7)) }
        await Self.expect(.notRunning) { try await hongbao.balance(of: 1, in: Embedded.campaign) }
        await #expect(throws: HongbaoError.self) { try await hongbao.run() }
        try await hongbao.close()
        try await Hongbao.withRunning(embedded.configuration) { again in
            let balance = try await again.balance(of: 1, in: Embedded.campaign)
            #expect(balance == Money(fen: 7))
        }
    }

    /// One that is never run is read and closed.
    @Test func itCanBeClosedUnused() async throws {
        let embedded = try Embedded()
        let hongbao = try await Hongbao.open(embedded.configuration)
        #expect(try await hongbao.balance(of: 1, in: Embedded.campaign) == .zero)
        await Self.expect(.notRunning) { try await hongbao.grant(Embedded.request(1, fen: 7)) }
        try await hongbao.close()
        try await hongbao.close()
        await Self.expect(.notRunning) { try await hongbao.balance(of: 1, in: Embedded.campaign) }
        try await Hongbao.open(embedded.configuration).close()
    }

    /// What was granted before something went wrong elsewhere stays granted.
    @Test func whoThrowsEndsItInOrder() async throws {
        let embedded = try Embedded()
        await #expect(throws: Unlucky.self) {
            try await Hongbao.withRunning(embedded.configuration) { hongbao in
                _ = try await hongbao.grant(Embedded.request(1, fen: 7))
                throw Unlucky()
            }
        }
        let income = try await Hongbao.withRunning(embedded.configuration) { hongbao in
            try await hongbao.income(of: 1, in: Embedded.campaign)
        }
        #expect(income == Money(fen: 7))
    }

    /// A body that is over before anything has begun.
    @Test func anEmptyLifeEndsToo() async throws {
        let embedded = try Embedded()
        for _ in 0..<20 { try await Hongbao.withRunning(embedded.configuration) { _ in } }
    }

    @Test func badFilesAndFoldersAreExplained() async throws {
        let embedded = try Embedded()
        var configuration = embedded.configuration
        configuration.campaignFiles.append(embedded.folder.file("none.yaml"))
        await Self.expect(.campaignsInvalid, naming: "none.yaml") { try await Hongbao.open(configuration) }
        configuration.campaignFiles = [embedded.file, embedded.file]
        await Self.expect(.campaignsInvalid, naming: "small") { try await Hongbao.open(configuration) }

        try await Hongbao.withRunning(embedded.configuration) { _ in }
        let keyring = embedded.data + "/keyring"
        try FileManager.default.moveItem(atPath: keyring, toPath: keyring + ".aside")
        await Self.expect(.dataUnusable, naming: "keyring") { try await Hongbao.open(embedded.configuration) }
        try "nothing".write(toFile: keyring, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: keyring)
        await Self.expect(.dataUnusable, naming: "keyring") { try await Hongbao.open(embedded.configuration) }
        try FileManager.default.removeItem(atPath: keyring)
        try FileManager.default.moveItem(atPath: keyring + ".aside", toPath: keyring)
        // Refusing has left nothing open.
        try await Hongbao.withRunning(embedded.configuration) { _ in }

        try Data(repeating: 7, count: 8_192).write(to: URL(filePath: embedded.data + "/hongbao.sqlite"))
        await Self.expect(.dataUnusable, naming: "hongbao.sqlite") { try await Hongbao.open(embedded.configuration) }
    }

    private static func expect<Answer>(
        _ code: HongbaoError.Code,
        naming text: String = "",
        _ body: () async throws -> Answer
    ) async {
        do {
            _ = try await body()
            Issue.record("\(code) was expected")
        } catch {
            let error = error as? HongbaoError
            #expect(error?.code == code, "\(error.debugDescription)")
            #expect(text.isEmpty || error?.message.contains(text) == true, "\(error.debugDescription)")
        }
    }
}
