import Foundation
import Glibc
import HongbaoTesting
import Testing

/// Flags over environment over file over defaults; and no setting is misread in silence.
@Suite(.timeLimit(.minutes(15))) struct SettingsTests {
    /// Starts a server in a folder of its own, ends it, and answers which data folders are there then.
    private static func folders(
        file: String?,
        environment: [String: String] = [:],
        flags: [String] = []
    ) async throws -> [String] {
        let folder = try TemporaryFolder()
        var arguments = ["serve", "--port", "0"] + flags
        if let file {
            try file.write(toFile: folder.file("settings.yaml"), atomically: true, encoding: .utf8)
            arguments += ["--config", "settings.yaml"]
        }
        let log = try TemporaryFolder()
        let server = try StartedProgram(
            try BuiltProgram.path("hongbao"),
            arguments,
            environment: environment,
            folder: folder.path,
            errorFile: log.file("log")
        )
        _ = try await server.firstLine()
        server.kill(SIGTERM)
        #expect(try await server.exitCode() == 0)
        return try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0 != "settings.yaml" }
            .sorted()
    }

    @Test func flagsWinOverEnvironmentOverFileOverDefaults() async throws {
        let file = "data:\n  folder: of-file\n"
        let environment = ["HONGBAO_DATA_FOLDER": "of-environment"]
        #expect(try await Self.folders(file: nil) == ["data"])
        #expect(try await Self.folders(file: file) == ["of-file"])
        #expect(try await Self.folders(file: file, environment: environment) == ["of-environment"])
        #expect(
            try await Self.folders(file: file, environment: environment, flags: ["--data", "of-flag"]) == ["of-flag"]
        )
    }

    @Test func theAuditFindsItsDataAsTheServerDoes() async throws {
        let folder = try TemporaryFolder()
        try "data:\n  folder: kept-here\n".write(toFile: folder.file("s.yaml"), atomically: true, encoding: .utf8)
        let environment = ["HONGBAO_DATA_FOLDER": "elsewhere"]
        for (arguments, environment, words) in [
            (["--config", "s.yaml"], [:], "folder kept-here"),
            (["--config", "s.yaml"], environment, "folder elsewhere"),
            (["--config", "s.yaml", "--data", "flagged"], environment, "folder flagged"), ([], [:], "folder data"),
        ] {
            let answer = try await BuiltProgram.run(
                "hongbao",
                ["audit"] + arguments,
                environment: environment,
                folder: folder.path
            )
            #expect(answer.code == 2)
            #expect(answer.errors.contains("there is no data \(words)"), "\(answer.errors)")
        }
    }

    static let clusterFile =
        "cluster:\n  address: http://h:1\n  mints: 3\nstore:\n  url: mysql://u:p@h/d\n"

    @Test(arguments: [
        ("http:\n  port: 0\n  colour: red\n", "settings.yaml:3: unknown setting http.colour"),
        ("colour: red\n", "settings.yaml:1: unknown setting colour"),
        ("http:\n  port: many\n", "http.port: must be a whole number"),
        ("http:\n  port: 70000\n", "http.port: must be a whole number from 0 to 65535"),
        ("campaigns:\n  rehearse: perhaps\n", "campaigns.rehearse: must be true or false"),
        ("log:\n  level: loud\n", "log.level: loud isn't a level"),
        ("service-keys: [\"name:short:grant\"]\n", "service-keys: "),
        ("issuers: [\"name:RS256:AAAA\"]\n", "issuers: "),
        ("payouts:\n  url: http://127.0.0.1:1\n", "payouts.secret: is needed"),
        ("payouts:\n  url: 127.0.0.1:1\n", "payouts.url: must be like http://127.0.0.1:9600"),
        ("channels:\n  url: http://127.0.0.1:1\n", "channels.secret: is needed when channels.url is set"),
        ("payments:\n  url: http://127.0.0.1:1\n", "payments.secret: is needed when payments.url is set"),
        ("rewards:\n  url: http://127.0.0.1:1\n", "rewards.secret: is needed when rewards.url is set"),
        ("rewards:\n  tea:\n    url: http://127.0.0.1:1\n", "rewards.tea.secret: is needed"),
        ("rewards:\n  tea:\n    url: 127.0.0.1:1\n", "rewards.tea.url: must be like"),
        ("rewards:\n  coffee:\n    url: http://127.0.0.1:1\n", "unknown setting rewards.coffee.url"),
        ("rewards:\n  cash:\n    url: http://127.0.0.1:1\n", "unknown setting rewards.cash.url"),
        (
            "rewards:\n  url: http://127.0.0.1:1\n  secret: s\n  film:\n    concurrency: 65\n",
            "rewards.film.concurrency: must be a whole number"
        ),
        ("alarms:\n  webhook: open.feishu.example/hook\n", "alarms.webhook: must be like"),
        ("hot-tokens:\n  url: redis://127.0.0.1:1\n", "hot-tokens.url: is for a node of a cluster"),
        ("store:\n  url: mysql://u:p@h/d\n  shards: [mysql://u:p@i/d]\n", "store.shards: are parts of a cluster"),
        (SettingsTests.clusterFile + "  shards: [nonsense]\n", "store.shards: must each be like mysql://"),
        (SettingsTests.clusterFile + "  shards: [mysql://u:p@h/d]\n", "store.shards: name a database twice"),
        (
            SettingsTests.clusterFile + "  shards: [mysql://u:p@i/d, mysql://u:p@j/d, mysql://u:p@k/d]\n",
            "store.shards: are more than there are mints for"
        ),
        ("hot-tokens:\n  url: http://127.0.0.1:1\n", "hot-tokens.url: must be like redis://"),
        (
            "store:\n  url: mysql://u:p@h/d\ncluster:\n  address: http://h:1\n  mints: 3\nroles: [query]\n",
            "hot-tokens.url: is needed when roles has query"
        ),
        ("totals:\n  main-url: redis://127.0.0.1:1\n", "totals.backup-url: is needed when totals.main-url is set"),
        ("totals:\n  backup-url: redis://127.0.0.1:1\n", "totals.main-url: is needed when totals.backup-url is set"),
        ("totals:\n  main-url: http://127.0.0.1:1\n", "totals.main-url: must be like redis://"),
        (
            "totals:\n  main-url: redis://u:pass@127.0.0.1:1\n  backup-url: redis://127.0.0.1:1/\n",
            "totals.backup-url: must be elsewhere than totals.main-url"
        ),
        (
            "totals:\n  main-url: rediss://127.0.0.1:1?ca=/nowhere\n  backup-url: redis://127.0.0.1:2\n",
            "totals.main-url: "
        ),
        ("http: [\n", "settings.yaml"),
    ])
    func wrongSettingsAreNamed(file: String, words: String) async throws {
        let folder = try TemporaryFolder()
        try file.write(toFile: folder.file("settings.yaml"), atomically: true, encoding: .utf8)
        let answer = try await BuiltProgram.run(
            "hongbao",
            ["serve", "--config", "settings.yaml", "--data", "data"],
            folder: folder.path
        )
        #expect(answer.code == 2)
        #expect(answer.output == "")
        #expect(answer.errors.contains(words), "\(answer.errors)")
        // Nothing was begun.
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["settings.yaml"])
    }

    @Test func aWrongEnvironmentIsNamedToo() async throws {
        let folder = try TemporaryFolder()
        let answer = try await BuiltProgram.run(
            "hongbao",
            ["serve"],
            environment: ["HONGBAO_HTTP_PORT": "abc"],
            folder: folder.path
        )
        #expect(answer.code == 2)
        #expect(answer.errors.contains("http.port: must be a whole number"), "\(answer.errors)")
    }
}
