import Glibc
import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import HongbaoTesting
import Testing

/// What every adapter of a downstream must do, so that the engine can bring each order to its end exactly once (GR-3,
/// GR-4, GR-8). See `docs/downstreams.md`.
@Suite(.timeLimit(.minutes(15))) struct RewardContractTests {
    // MARK: Every adapter

    /// However many are asked about: one report for each, in their order.
    @Test(arguments: RewardAdapter.allCases)
    func oneReportForEachOrderInOrder(_ adapter: RewardAdapter) async throws {
        let bench = try await RewardBench(adapter)
        let channel = bench.channel()
        try await bench.behave(#"{"refusals":500}"#)
        var first: UInt64 = 1
        for count in [0, 1, 2, 99, 100, 101, 250] {
            let orders = RewardBench.orders(count, from: first)
            first += UInt64(count)
            let reports = await channel.give(orders)
            try #require(reports.count == count)
            let again = await channel.query(orders.map(\.order))
            #expect(again == reports, "\(count)")
            let backwards = await channel.query(orders.reversed().map(\.order))
            #expect(backwards == reports.reversed(), "\(count)")
            guard let given = try await bench.given() else {
                #expect(reports.allSatisfy { $0.isGranted })
                continue
            }
            let names = Set(given.map(\.order))
            for (order, report) in zip(orders, reports) {
                #expect(report.isGranted == names.contains(order.order), "\(order.order)")
            }
        }
        try await bench.end()
    }

    /// GR-3: the same order gives one reward, one call after another and many at the same time.
    @Test(arguments: RewardAdapter.allCases)
    func theSameOrderGivesOnce(_ adapter: RewardAdapter) async throws {
        let bench = try await RewardBench(adapter)
        let channel = bench.channel()
        let orders = RewardBench.orders(20)
        #expect(await channel.give(orders).allSatisfy(\.isGranted))
        await withTaskGroup(of: [RewardReport].self) { group in
            for _ in 0..<8 { group.addTask { await channel.give(orders) } }
            for await reports in group { #expect(reports.count == 20 && reports.allSatisfy { $0.isGranted }) }
        }
        if let given = try await bench.given() { #expect(given == orders) }
        try await bench.end()
    }

    // MARK: With a system behind them

    @Test(arguments: RewardAdapter.outside)
    func whatWasNeverGivenIsUnknown(_ adapter: RewardAdapter) async throws {
        let bench = try await RewardBench(adapter)
        let orders = RewardBench.orders(3)
        #expect(await bench.channel().give([orders[1]]) == [.granted])
        let names = orders.map(\.order)
        #expect(await bench.channel().query(names) == [.unknownOrder, .granted, .unknownOrder])
        // Downstreams don't know each other's orders.
        #expect(await bench.channel(.film).query(names).allSatisfy { $0 == .unknownOrder })
        try await bench.end()
    }

    /// The outcome of a call that got no answer is unknown, and asking by order number settles it.
    @Test(arguments: RewardAdapter.outside)
    func aLostReplyIsFoundOutAbout(_ adapter: RewardAdapter) async throws {
        let bench = try await RewardBench(adapter)
        let channel = bench.channel()
        let orders = RewardBench.orders(5)
        let names = orders.map(\.order)
        try await bench.behave(#"{"lostReplies":1000}"#)
        #expect(await channel.give(orders).allSatisfy { $0 == .fault(.unknown, .unreachable) })
        #expect(await channel.query(names).allSatisfy { $0 == .fault(.unknown, .unreachable) })
        try await bench.behave(#"{"lostReplies":0}"#)
        #expect(await channel.query(names).allSatisfy(\.isGranted))
        #expect(await channel.give(orders).allSatisfy(\.isGranted))
        #expect(try await bench.gifts() == orders)
        try await bench.end()
    }

    /// Thirty in a hundred replies lost, errors before and after the deed, busy, ten tries: each exactly once.
    @Test(arguments: RewardAdapter.outside)
    func manyTriesGiveOnce(_ adapter: RewardAdapter) async throws {
        let bench = try await RewardBench(adapter)
        let channel = bench.channel()
        let orders = RewardBench.orders(60)
        try await bench.behave(#"{"lostReplies":300,"errors":200,"overloads":100,"busy":200}"#)
        var known: Set<String> = []
        for _ in 0..<10 {
            for start in stride(from: 0, to: orders.count, by: 6) {
                let part = Array(orders[start..<start + 6])
                for (order, report) in zip(part, await channel.give(part)) where report.isGranted {
                    known.insert(order.order)
                }
            }
        }
        try await bench.behave(#"{"lostReplies":0,"errors":0,"overloads":0,"busy":0}"#)
        #expect(known.count > 30)
        let given = try await bench.gifts()
        #expect(Set(given).count == given.count)
        #expect(known.isSubset(of: Set(given.map(\.order))))
        #expect(await channel.give(orders).allSatisfy(\.isGranted))
        let all = try await bench.gifts()
        #expect(all.count == orders.count && Set(all) == Set(orders))
        try await bench.end()
    }

    @Test(arguments: RewardAdapter.outside)
    func aSlowOneIsProcessing(_ adapter: RewardAdapter) async throws {
        let bench = try await RewardBench(adapter)
        let channel = bench.channel()
        let orders = RewardBench.orders(2)
        try await bench.behave(#"{"delay":86400000}"#)
        #expect(await channel.give([orders[0]]) == [.processing])
        #expect(await channel.give([orders[0]]) == [.processing])
        #expect(await channel.query([orders[0].order]) == [.processing])
        #expect(try await bench.gifts() == [])
        try await bench.behave(#"{"delay":200}"#)
        #expect(await channel.give([orders[1]]) == [.processing])
        try await BuiltProgram.until("it's given") { await channel.query([orders[1].order]) == [.granted] }
        #expect(try await bench.gifts() == [orders[1]])
        #expect(try await bench.get("/downstreams/tea") == #"{"processing":1,"granted":1,"refused":0}"#)
        try await bench.end()
    }

    @Test(arguments: RewardAdapter.outside)
    func whatItSaysOfAnOrder(_ adapter: RewardAdapter) async throws {
        let bench = try await RewardBench(adapter)
        let channel = bench.channel()
        let orders = RewardBench.orders(3)
        try await bench.behave(#"{"busy":1000}"#)
        #expect(await channel.give([orders[0]]) == [.fault(.retryable, .busy)])
        // Nothing happened.
        #expect(await channel.query([orders[0].order]) == [.unknownOrder])
        try await bench.behave(#"{"busy":0,"refusals":1000}"#)
        let refused = await channel.give([orders[1]])
        guard case .failed(let fault) = refused[0], fault.kind == .final else {
            Issue.record("\(refused)")
            return
        }
        #expect(RewardCode(rawValue: fault.code) != nil)
        try await bench.behave(#"{"refusals":0,"alreadyGranted":1000}"#)
        #expect(await channel.give([orders[1]]) == refused)
        #expect(await channel.query([orders[1].order]) == refused)
        #expect(await channel.give([orders[2]]) == [.granted])
        // The same order with other content is refused, and nothing changes.
        let other = RewardOrder(order: orders[2].order, person: orders[2].person, template: TemplateID(1))
        #expect(await channel.give([other]) == [.fault(.final, .orderConflict)])
        #expect(await channel.query([other.order]) == [.granted])
        #expect(try await bench.gifts() == [orders[2]])
        try await bench.end()
    }

    /// What a whole call comes to. Of a question that isn't answered nothing follows about the orders it was about.
    @Test(arguments: RewardAdapter.outside)
    func callsThatAreTurnedAway(_ adapter: RewardAdapter) async throws {
        let bench = try await RewardBench(adapter)
        let channel = bench.channel()
        let order = RewardBench.orders(1)
        let names = order.map(\.order)
        try await bench.behave(#"{"overloads":1000}"#)
        #expect(await channel.give(order) == [.fault(.retryable, .unavailable)])
        #expect(await channel.query(names) == [.fault(.unknown, .unavailable)])
        try await bench.behave(#"{"overloads":0,"errors":1000}"#)
        #expect(await channel.give(order) == [.fault(.unknown, .serverError)])
        #expect(await channel.give(order) == [.fault(.unknown, .serverError)])
        try await bench.behave(#"{"errors":0}"#)
        let stranger = bench.channel(secret: "another")
        #expect(await stranger.give(RewardBench.orders(1, from: 9)) == [.fault(.final, .unauthorized)])
        #expect(await stranger.query(names) == [.fault(.unknown, .unauthorized)])
        // One of the two errors came after the deed.
        #expect(await channel.query(names) == [.granted])
        #expect(try await bench.gifts() == order)
        try await bench.end()
    }

    /// GR-8: one that hangs takes no longer than its deadline, and the others answer meanwhile.
    @Test(arguments: RewardAdapter.outside)
    func aHungOneIsUnknownWithinTheDeadline(_ adapter: RewardAdapter) async throws {
        let bench = try await RewardBench(adapter)
        let orders = RewardBench.orders(250)
        let names = orders.map(\.order)
        try await bench.behave(#"{"hungFor":600000}"#)
        let hung = bench.channel(deadline: 400)
        let began = ContinuousClock.now
        async let reports = hung.give(orders)
        async let answers = hung.query(names)
        #expect(await bench.channel(.film).give(orders).allSatisfy(\.isGranted))
        #expect(await reports == orders.map { _ in .fault(.unknown, .timeout) })
        #expect(await answers == orders.map { _ in .fault(.unknown, .timeout) })
        // Far below the time that it hangs, however busy this machine is.
        #expect(began.duration(to: .now) < .seconds(60))
        try await bench.behave(#"{"hungFor":0}"#)
        #expect(await bench.channel().give(orders).allSatisfy(\.isGranted))
        // What was asked for while it hung may come late; it's the same orders.
        let all = try await bench.gifts()
        #expect(all.count == orders.count && Set(all) == Set(orders))
        try await bench.behave(#"{"hangs":1000,"hangTime":600000}"#)
        let next = RewardBench.orders(1, from: 1_000)
        #expect(await hung.give(next) == [.fault(.unknown, .timeout)])
        try await bench.behave(#"{"hangs":0,"answerTime":600000}"#)
        #expect(await hung.query([next[0].order]) == [.fault(.unknown, .timeout)])
        try await bench.behave(#"{"answerTime":0}"#)
        #expect(await bench.channel().query([next[0].order]) == [.granted])
        try await bench.end()
    }

    /// What a downstream gave, it has given, whatever becomes of its process.
    @Test(arguments: RewardAdapter.outside)
    func nothingIsForgottenInACrash(_ adapter: RewardAdapter) async throws {
        let bench = try await RewardBench(
            adapter,
            .pendant,
            options: ["--reward", "all:forgetful,lostReplies=1000", "--reward", "tea:refusals=1000"]
        )
        let orders = RewardBench.orders(10)
        #expect(await bench.channel().give(orders).allSatisfy { $0 == .fault(.unknown, .unreachable) })
        let refused = await bench.channel(.tea).give(orders)
        #expect(refused.allSatisfy { if case .failed(let fault) = $0 { fault.kind == .final } else { false } })
        let second = try await bench.restarted()
        #expect(try await second.gifts() == orders)
        #expect(await second.channel().query(orders.map(\.order)).allSatisfy(\.isGranted))
        #expect(await second.channel().give(orders).allSatisfy(\.isGranted))
        #expect(await second.channel(.tea).query(orders.map(\.order)) == refused)
        #expect(try await second.gifts() == orders)
        try await second.end()
    }

    @Test(arguments: [
        "coffee:slow", "cash:slow", "tea", "tea:quick", "tea:busy=1001", "tea:busy=-1", "tea:=", "tea:slow,",
    ])
    func habitsAreReadExactly(option: String) async throws {
        let answer = try await BuiltProgram.run("hongbao-dev", ["sandbox", "--port", "0", "--reward", option])
        #expect(answer.code == 64)
        #expect(answer.errors.contains(option), "\(answer.errors)")
    }
}
