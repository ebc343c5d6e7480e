/// One process by itself is always alone.
extension Store {
    package func readAlone<Answer: Sendable>(
        _ body: @Sendable (any StoreSnapshot) throws(StoreError) -> Answer
    ) async throws(StoreError) -> Answer? {
        try await read(body)
    }

    package func isReadAlone() async throws(StoreError) -> Bool { false }
}
