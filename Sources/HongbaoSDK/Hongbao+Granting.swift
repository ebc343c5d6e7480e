import HongbaoCore
import HongbaoEngine

extension Hongbao {
    /// How many requests are decided together; longer batches are done piece by piece.
    private static let piece = 1_000

    /// Grants one reward, durably: it's on disk when this returns.
    ///
    /// - Throws: why it wasn't granted. After ``HongbaoError/Code/unavailable`` it may have been: repeat the request.
    public func grant(_ request: GrantRequest) async throws(HongbaoError) -> Grant {
        guard let answer = await grant([request]).first else {
            throw HongbaoError(.internal, "a request without an answer")
        }
        return try answer.get()
    }

    /// Grants many rewards, each by itself: some may be refused while others are granted.
    ///
    /// - Returns: an answer for each request, in the same order.
    public func grant(_ requests: [GrantRequest]) async -> [Result<Grant, HongbaoError>] {
        do throws(HongbaoError) {
            try requireRunning()
        } catch {
            return requests.map { _ in .failure(error) }
        }
        var answers: [Result<Grant, HongbaoError>] = []
        var rest = requests[...]
        while !rest.isEmpty {
            let some = rest.prefix(Self.piece)
            rest = rest.dropFirst(Self.piece)
            answers += await engine.granting.grant(some.map(\.forEngine)).map { answer in
                switch answer {
                case .granted(let granted): .success(Grant(granted))
                case .refused(let refusal): .failure(HongbaoError(refusal))
                case .unavailable(let fault): .failure(HongbaoError(fault))
                }
            }
        }
        return answers
    }

    /// What became of an order, by its number.
    ///
    /// - Throws: ``HongbaoError/Code/notFound`` when it was never granted; ``HongbaoError/Code/malformed`` when this is
    ///   no order number.
    public func find(order text: String) async throws(HongbaoError) -> OrderStatus {
        try requireOpen()
        guard let order = OrderNumber(text) else { throw HongbaoError(.malformed, "this is no order number") }
        let found = try await HongbaoError.of { () throws(StoreError) in try await engine.granting.find(order) }
        guard let found else { throw HongbaoError(.notFound, "this was never granted") }
        return OrderStatus(found)
    }

    /// Posts to the ledger what a person was granted and isn't posted yet, before its turn.
    ///
    /// Balance and income have it in any case; this is for those who read the ledger itself.
    public func postNow(_ person: Person, in campaign: String) async throws(HongbaoError) {
        try requireRunning()
        let book = try phase(of: campaign).book
        try await HongbaoError.of { () throws(StoreError) in
            try await engine.poster.postNow(person.id, in: book)
            try await engine.packetSweeps.settle(person.id, in: book)
        }
    }
}
