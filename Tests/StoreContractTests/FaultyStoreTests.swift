import HongbaoCore
import HongbaoEngine
import HongbaoTesting
import Testing

@Suite struct FaultyStoreTests {
    @Test(arguments: Backend.all)
    func beforeLeavesNothingAndAfterLeavesAll(_ backend: Backend) async throws {
        try await backend.withStore { base in
            try await base.prepareToMint()
            try await Self.check(base)
        }
    }

    private static func check(_ base: some Store) async throws {
        let store = FaultyStore(
            base,
            script: [.append: [0: .before, 1: .after], .transact: [1: .after], .read: [0: .before]]
        )
        await expect(.unavailable) { try await store.append(Fixture.group([1])) }
        #expect(try await base.log().isEmpty)
        await expect(.outcomeUnknown) { try await store.append(Fixture.group([1])) }
        #expect(try await base.log().count == 1)
        #expect(try await store.post([Fixture.grant(to: 1)]) == [.posted])
        await expect(.outcomeUnknown) { _ = try await store.post([Fixture.grant(to: 2)]) }
        #expect(try await store.post([Fixture.grant(to: 2)]) == [.alreadyPosted])
        await expect(.unavailable) { _ = try await store.log() }
        #expect(try await store.log().count == 1)
    }

    @Test(arguments: Backend.all)
    func heldCallsWaitUntilLetGo(_ backend: Backend) async throws {
        try await backend.withStore { base in
            try await base.fund(1_000)
            try await Self.checkHolding(base)
        }
    }

    private static func checkHolding(_ base: some Store) async throws {
        let store = FaultyStore(base) { _, _ in nil }
        store.hold()
        async let outcome = store.post([Fixture.grant(to: 1)])
        while store.heldCount == 0 { await Task.yield() }
        #expect(try await base.account(.person(PersonID(1), in: Fixture.book)).available == 0)
        store.letGo()
        #expect(try await outcome == [.posted])
    }
}
