/// What a book of clients has found wrong: how much, and the first of it, since one fault may show in every answer.
struct BreachList: Sendable {
    private(set) var texts: [String] = []
    private(set) var count = 0
    static let shownMax = 20

    mutating func add(_ text: String) {
        count += 1
        if texts.count < Self.shownMax { texts.append(text) }
    }
}
