import ArgumentParser
import Foundation
import HongbaoCore
import HongbaoEngine
import HongbaoSQLite
import HongbaoServer

struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract: "List the key epochs that tokens were signed in, or revoke one.",
        discussion: """
            A server begins a new epoch at each start and once a day. When a forged-token alarm says that a minting
            key is in other hands, stop the server, revoke that epoch, and start again: tokens of the epoch that
            clients hold are refused from then on. What was accepted is in the log, is posted and shown all the
            same.
            """,
        subcommands: [List.self, Revoke.self],
        defaultSubcommand: List.self
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the key epochs.")

        @Option(help: "Data folder.")
        var data = "data"

        func run() async throws {
            try await reportingFaults("keys") {
                let store = try Server.openStore(data, access: .readOnly)
                for epoch in try await store.read({ (snapshot) throws(StoreError) in try snapshot.epochs() }) {
                    let valid = MintCertificate(epoch.certificate).map {
                        "\($0.notBefore.iso8601()) to \($0.notAfter.iso8601())"
                    }
                    print(
                        "mint \(epoch.mint.rawValue) epoch \(epoch.epoch)  \(valid ?? "unreadable")"
                            + (epoch.isRevoked ? "  revoked" : "")
                    )
                }
                try await store.close()
            }
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Refuse the tokens of an epoch. The server must be stopped."
        )

        @Argument(help: "Mint.")
        var mint: UInt32
        @Argument(help: "Epoch.")
        var epoch: UInt32
        @Option(help: "Data folder.")
        var data = "data"

        func run() async throws {
            try await reportingFaults("keys revoke") {
                let target = MintEpoch(mint: MintID(mint), epoch: epoch)
                let store = try Server.openStore(data)
                let epochs = try await store.read { (snapshot) throws(StoreError) in try snapshot.epochs() }
                guard epochs.contains(where: { $0.mint == target.mint && $0.epoch == target.epoch }) else {
                    throw StartFault("there is no mint \(mint) epoch \(epoch)")
                }
                try await store.transact(Footprint()) { $0.revoke(target) }
                try await store.close()
                print("mint \(mint) epoch \(epoch) is revoked")
            }
        }
    }
}

/// Runs `body`; a fault becomes one line on standard error and exit code 2.
func reportingFaults(_ command: String, _ body: () async throws -> Void) async throws {
    do {
        try await body()
    } catch let code as ExitCode {
        throw code
    } catch {
        FileHandle.standardError.write(Data("hongbao \(command): \(error)\n".utf8))
        throw ExitCode.couldNotRun
    }
}
