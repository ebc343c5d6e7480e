import HongbaoEngine
import HongbaoSDK
import HongbaoSQLite
import HongbaoTesting
import Testing

/// The platform inside another program, on a real data folder (SK-1).
@Suite(.timeLimit(.minutes(5))) struct EmbeddingTests {
    private static let campaign = Embedded.campaign
    /// A refusal or none of each.
    private static let mixed = [
        Embedded.request(1, fen: 100), Embedded.request(2, fen: 201), Embedded.request(3, fen: 50),
        Embedded.request(4, fen: nil), Embedded.request(1, fen: 100), Embedded.request(1, fen: 99),
        Embedded.request(0, fen: 1), Embedded.request(5, fen: 1, rain: 21), Embedded.request(5, fen: 1, scene: "none"),
    ]

    /// What is granted is there at once, counts once, and is there after a restart (GR-3, GR-5, M6, M12).
    @Test func grantsAreReadAndSurviveARestart() async throws {
        let embedded = try Embedded()
        try await Hongbao.withRunning(embedded.configuration) { hongbao in
            #expect(try await hongbao.hasReceived(1, in: Self.campaign) == false)
            let answers = await hongbao.grant(Self.mixed)
            let codes = answers.map { answer in
                switch answer {
                case .success(let grant): "\(grant.amount)\(grant.isReplay ? " again" : "")"
                case .failure(let error): "\(error.code)"
                }
            }
            #expect(
                codes == [
                    "1.00", "over_cap", "0.50", "amount_invalid", "1.00 again", "order_conflict", "order_part_invalid",
                    "order_part_invalid", "scene_unknown",
                ]
            )
            try await Self.expectGiven(by: hongbao)
            let order = try answers[0].get().order
            try await hongbao.postNow(1, in: Self.campaign)
            let status = try await hongbao.find(order: order)
            #expect(status.status == .credited && status.amount == Money(fen: 100))
            #expect(status.postedAtMilliseconds != nil)
            try await Self.expectGiven(by: hongbao)
        }
        try await Hongbao.withRunning(embedded.configuration) { hongbao in
            try await Self.expectGiven(by: hongbao)
            let again = try await hongbao.grant(Embedded.request(3, fen: 50))
            #expect(again.isReplay && !again.token.isEmpty && again.rewardID == "cash-rain")
            try await Self.expectGiven(by: hongbao)
        }
        let folder = DataFolder(embedded.data)
        let store = try folder.openStore(.readOnly)
        #expect(try await Audit.run(store, keyring: folder.loadKeyring(isNew: false)).holds)
        try await store.close()
    }

    private static func expectGiven(by hongbao: Hongbao) async throws {
        let first = try await hongbao.summary(of: 1, in: campaign)
        #expect(first.balance == Money(fen: 100) && first.income == Money(fen: 100) && first.hasReceived)
        #expect(try await hongbao.balance(of: 3, in: campaign) == Money(fen: 50))
        #expect(try await hongbao.income(of: 2, in: campaign) == .zero)
        #expect(try await hongbao.hasReceived(2, in: campaign) == false)
        let budget = try await hongbao.budget(of: "rain", in: campaign)
        #expect(budget.budget == Money(fen: 100_000) && budget.issued == Money(fen: 150))
        #expect(budget.issued.fen + budget.leased.fen + budget.available.fen == 100_000)
        var total = try hongbao.grandTotal(of: campaign)
        while total.count < 2 {
            await Task.yield()
            total = try hongbao.grandTotal(of: campaign)
        }
        #expect(total.amount == Money(fen: 150) && total.count == 2)
    }

    /// More than are decided together, some of them twice.
    @Test func longBatchesAreDonePieceByPiece() async throws {
        let embedded = try Embedded()
        try await Hongbao.withRunning(embedded.configuration) { hongbao in
            let requests = (0..<2_500).map { Embedded.request(UInt64($0 % 1_250 + 1), fen: 2) }
            let grants = try await hongbao.grant(requests).map { try $0.get() }
            #expect(grants.count == 2_500 && grants.count { $0.isReplay } == 1_250)
            #expect(zip(grants, grants.dropFirst(1_250)).allSatisfy { $0.order == $1.order && $0.token == $1.token })
            #expect(await hongbao.grant([]).isEmpty)
        }
    }

    /// No more than there are, however many ask; a repeat takes no second one (BU-3, BU-6, M3).
    @Test func couponsComeOutOfAnInventory() async throws {
        let embedded = try Embedded()
        for _ in 0..<2 {
            try await Hongbao.withRunning(embedded.configuration) { hongbao in
                let answers = await hongbao.grant((1...5).map { Embedded.request($0, fen: nil, scene: "film") })
                let granted = try answers.prefix(3).map { try $0.get() }
                #expect(granted.allSatisfy { $0.rewardID == "film-ticket" && $0.fallback == nil })
                for answer in answers.suffix(2) {
                    await Self.expect(.stockExhausted) { try answer.get() }
                }
                let inventory = try await hongbao.inventory(of: "film-ticket", in: Self.campaign)
                #expect(inventory.total == 3 && inventory.consumed == 3)
                #expect(inventory.leased == 0 && inventory.stranded == 0 && inventory.available == 0)
                _ = try await hongbao.grant(Embedded.request(1, fen: nil, scene: "tea"))
                let unbounded = try await hongbao.inventory(of: "tea-cup", in: Self.campaign)
                #expect(unbounded.total == nil && unbounded.available == nil && unbounded.consumed == 1)
                // They are no money.
                #expect(try await hongbao.balance(of: 1, in: Self.campaign) == .zero)
                var total = try hongbao.grandTotal(of: Self.campaign)
                while total.count < 4 {
                    await Task.yield()
                    total = try hongbao.grandTotal(of: Self.campaign)
                }
                #expect(total.count == 4 && total.amount == .zero)
            }
        }
    }

    @Test func whatIsNotThereIsSaid() async throws {
        let embedded = try Embedded()
        try await Hongbao.withRunning(embedded.configuration) { hongbao in
            await Self.expect(.campaignUnknown) { try await hongbao.balance(of: 1, in: "none") }
            await Self.expect(.campaignUnknown) { try await hongbao.budget(of: "rain", in: "none") }
            await Self.expect(.campaignUnknown) { try hongbao.grandTotal(of: "none") }
            await Self.expect(.campaignUnknown) { try await hongbao.postNow(1, in: "none") }
            await Self.expect(.sceneUnknown) { try await hongbao.budget(of: "none", in: Self.campaign) }
            await Self.expect(.notFound) { try await hongbao.budget(of: "film", in: Self.campaign) }
            await Self.expect(.campaignUnknown) { try await hongbao.inventory(of: "film-ticket", in: "none") }
            for reward in ["none", "cash-rain"] {
                await Self.expect(.rewardUnknown) { try await hongbao.inventory(of: reward, in: Self.campaign) }
            }
            await Self.expect(.malformed) { try await hongbao.find(order: "one") }
            let order = try await hongbao.grant(Embedded.request(1, fen: 1)).order
            await Self.expect(.notFound) { try await hongbao.find(order: "9" + order) }
        }
    }

    private static func expect<Answer>(
        _ code: HongbaoError.Code,
        _ body: () async throws -> Answer
    ) async {
        do {
            _ = try await body()
            Issue.record("\(code) was expected")
        } catch {
            let error = error as? HongbaoError
            #expect(error?.code == code, "\(error.debugDescription)")
        }
    }
}
