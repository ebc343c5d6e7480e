import ArgumentParser
import Foundation
import HongbaoRedis
import HongbaoServer

struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure whole figures, each beside a baseline in the same run.",
        discussion: """
            Build with -c release; Benchmarks/README.md says what each figure is and what limits it. With --check it
            ends with 1 when a figure, as a multiple of its baseline, is below its threshold in
            Benchmarks/thresholds.json. It ends with 2 when a case can't be run here: `mysql` needs a build with
            --traits MySQL, and mariadbd.
            """
    )

    @Argument(help: "Cases to run. Default: all that this build has.")
    var cases: [BenchCase] = []
    @Option(help: "Times that everything is measured, after one time to warm up.")
    var repetitions = 5
    @Option(help: "Seconds that each figure takes in each repetition.")
    var seconds = 2.0
    @Option(help: "Measure only figures with this in their name: for profiling. Without baselines there are no ratios.")
    var only = ""
    @Option(help: "Where data folders are made and removed: the disk to be measured. Default: the temporary folder.")
    var folder: String?
    @Option(help: "Campaign file, played as if its live phase began now.")
    var campaign = "campaigns/spring-festival-2022.yaml"
    @Option(help: "A Redis server, as redis://127.0.0.1:6379, for the baselines over the network of `total`.")
    var redis: String?
    @Flag(help: "Print JSON instead of tables.")
    var json = false
    @Flag(help: "Compare with the thresholds.")
    var check = false
    @Option(help: "The file of thresholds.")
    var thresholds = "Benchmarks/thresholds.json"

    func validate() throws {
        guard (1...100).contains(repetitions) else { throw ValidationError("--repetitions: 1 to 100") }
        guard (0.1...600).contains(seconds) else { throw ValidationError("--seconds: 0.1 to 600") }
        if let redis, RedisAddress(redis)?.isCluster != false {
            throw ValidationError("--redis: one server, as redis://127.0.0.1:6379")
        }
    }

    func run() async throws {
        let bench = try Bench(
            repetitions: repetitions,
            seconds: seconds,
            only: only,
            parent: folder ?? NSTemporaryDirectory(),
            campaignFile: campaign,
            redis: redis.flatMap { RedisAddress($0) }
        )
        var surroundings = Surroundings(bench)
        var reports: [CaseReport] = []
        for name in cases.isEmpty ? BenchCase.ofThisBuild : cases {
            let report = CaseReport(name: name.rawValue, figures: try await figures(of: name, bench))
            reports.append(report)
            if !json { print(BenchReport.table(report) + "\n") }
        }
        surroundings.load.append(Surroundings.currentLoad)
        print(json ? try BenchReport.json(reports, surroundings) : surroundings.line)
        guard check else { return }
        let shortfalls = try BenchReport.shortfalls(reports, thresholds: thresholds)
        for shortfall in shortfalls { FileHandle.standardError.write(Data("below threshold: \(shortfall)\n".utf8)) }
        if !shortfalls.isEmpty { throw ExitCode(1) }
    }

    private func figures(of name: BenchCase, _ bench: Bench) async throws -> [Figure] {
        do {
            return try await name.run(bench)
        } catch let error as BenchNotPossible {
            FileHandle.standardError.write(Data("\(name.rawValue): \(error.reason)\n".utf8))
            throw ExitCode(2)
        }
    }
}

/// Why a case can't be run at all here.
struct BenchNotPossible: Error {
    let reason: String
}

enum BenchCase: String, CaseIterable, ExpressibleByArgument {
    case grants
    case grantsHTTPProtobuf = "grants-http-protobuf"
    case grantsHTTPJSON = "grants-http-json"
    case postings
    case wallet
    case tokenSize = "token-size"
    case orderTable = "order-table"
    case split
    case claims
    case claimsHTTP = "claims-http"
    case total
    case coupons
    case isolation
    case mySQL = "mysql"

    static var ofThisBuild: [BenchCase] { allCases.filter { $0 != .mySQL || Bench.hasMySQL } }

    func run(_ bench: Bench) async throws -> [Figure] {
        switch self {
        case .grants: try await GrantsBench(bench: bench).run()
        case .grantsHTTPProtobuf: try await HTTPGrantsBench(bench: bench).runProtobuf()
        case .grantsHTTPJSON: try await HTTPGrantsBench(bench: bench).runJSON()
        case .postings: try await PostingsBench(bench: bench).run()
        case .wallet: try await WalletBench(bench: bench).run()
        case .tokenSize: try TokenSizeBench().run()
        case .orderTable: try await OrderTableBench(bench: bench).run()
        case .split: try await SplitBench(bench: bench).run()
        case .claims: try await ClaimsBench(bench: bench).run()
        case .claimsHTTP: try await HTTPClaimsBench(bench: bench).run()
        case .total: try await TotalBench(bench: bench).run()
        case .coupons: try await CouponsBench(bench: bench).run()
        case .isolation: try await CouponsBench(bench: bench).runIsolation()
        case .mySQL: try await bench.runMySQL()
        }
    }
}
