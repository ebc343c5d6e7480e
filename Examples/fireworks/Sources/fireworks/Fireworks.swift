import HongbaoSDK

/// Gives cash to a hundred people, looks at what they have, and shows the running total: `fireworks FOLDER FILE`.
///
/// Run it twice on the same folder: the second time nobody gets anything again.
@main
struct Fireworks {
    static let campaign = "fireworks"

    static func main() async throws {
        guard CommandLine.arguments.count == 3 else { return print("usage: fireworks DATA-FOLDER CAMPAIGN-FILE") }
        var configuration = HongbaoConfiguration(
            dataFolder: CommandLine.arguments[1],
            campaignFiles: [CommandLine.arguments[2]]
        )
        // The show in the file is over: play it as if it were on.
        configuration.rehearses = true
        configuration.totalsInterval = .milliseconds(50)
        try await Hongbao.withRunning(configuration) { hongbao in
            try await give(with: hongbao)
            try await look(at: hongbao)
        }
    }

    static func give(with hongbao: Hongbao) async throws {
        let requests = (1...100).map { number in
            GrantRequest(
                campaign: campaign,
                scene: "show",
                person: Person(rawValue: UInt64(number)),
                app: "app",
                amount: Money(fen: Int64(number))
            )
        }
        let grants = try await hongbao.grant(requests).map { try $0.get() }
        let again = grants.count { $0.isReplay }
        print("granted \(grants.count - again), and \(again) had it before")

        do {
            var greedy = requests[0]
            greedy.amount = Money(fen: 999)
            _ = try await hongbao.grant(greedy)
        } catch {
            print("person 1 asks for more: \(error.code)")
        }
    }

    static func look(at hongbao: Hongbao) async throws {
        let person: Person = 88
        try await hongbao.postNow(person, in: campaign)
        let summary = try await hongbao.summary(of: person, in: campaign)
        print("person \(person) has \(summary.balance) yuan of \(summary.income), received: \(summary.hasReceived)")
        let budget = try await hongbao.budget(of: "show", in: campaign)
        print("the show has given \(budget.issued) of \(budget.budget) yuan")

        // Totals follow at intervals.
        var total = try hongbao.grandTotal(of: campaign)
        while total.count < 100 {
            try await Task.sleep(for: .milliseconds(50))
            total = try hongbao.grandTotal(of: campaign)
        }
        print("grand total: \(total.amount) yuan in \(total.count) grants")
    }
}
