import Foundation
import HongbaoSDK
import HongbaoTesting
import Logging

/// A data folder of one test, and a campaign that is on.
struct Embedded: Sendable {
    static let campaign = "small"

    let folder: TemporaryFolder
    let data: String
    let file: String

    init() throws {
        folder = try TemporaryFolder()
        data = folder.file("data")
        file = folder.file("small.yaml")
        try Self.text.write(toFile: file, atomically: true, encoding: .utf8)
    }

    var configuration: HongbaoConfiguration {
        var configuration = HongbaoConfiguration(dataFolder: data, campaignFiles: [file])
        configuration.rehearses = true
        configuration.totalsInterval = .milliseconds(5)
        configuration.logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        return configuration
    }

    static func request(_ person: UInt64, fen: Int64?, scene: String = "rain", rain: UInt16 = 1) -> GrantRequest {
        GrantRequest(
            campaign: campaign,
            scene: scene,
            rain: rain,
            person: Person(rawValue: person),
            app: "douyin",
            amount: fen.map { Money(fen: $0) }
        )
    }

    private static let text = """
        key: small
        number: 7
        title: Small
        apps:
          douyin: { number: 1, name: 抖音, family: douyin }
        phases:
          live:
            from: 2022-01-24T00:00:00+08:00
            to: 2022-02-07T00:00:00+08:00
            admission: everyone
            budget: 100000
            cap: 200
            rewards:
              cash: { kind: cash, ids: { cash-rain: 101 } }
              film: { kind: film, ids: { film-ticket: { number: 1001, inventory: 3, reserve: 0 } } }
              tea: { kind: tea, ids: { tea-cup: 901 } }
            scenes:
              rain:
                number: 1
                play: rain
                gives: [cash-rain]
                bill: Rain
                cap: 200
                budget: 100000
                orders: { rains: 1-20, awardTypes: 1-2, stages: 0-9 }
              film:
                number: 2
                play: fireworks
                gives: [film-ticket]
                bill: Film
                orders: { rains: 1, awardTypes: 1, stages: 0 }
                inventory: on
              tea:
                number: 3
                play: fireworks
                gives: [tea-cup]
                bill: Tea
                orders: { rains: 1, awardTypes: 1, stages: 0 }
        """
}
