import HongbaoCore
import HongbaoTesting
import Testing

/// Who is another name of whom (ID-3).
@Suite struct AliasesTests {
    private static func merge(_ source: UInt64, _ target: UInt64) -> Merge {
        Merge(source: PersonID(source), target: PersonID(target), at: Timestamp(milliseconds: 0))
    }

    @Test func nobodyIsAnybodyElseAtFirst() {
        let aliases = Aliases()
        #expect(aliases.isTrivial && aliases.count == 0)
        #expect(aliases.person(PersonID(1)) == PersonID(1))
        #expect(aliases.all(PersonID(1)) == [PersonID(1)])
        #expect(!aliases.isDoubtful(PersonID(1)))
    }

    /// In whichever order merges are read, the answers are the same, and a name comes before what it was merged into.
    @Test(arguments: 0..<100 as Range<UInt64>)
    func ordersDoNotMatter(seed: UInt64) {
        var random = Seeded(seed: seed)
        // A forest: each is merged into a lower one, or isn't.
        var merges: [Merge] = []
        for source in 2...12 as ClosedRange<UInt64> where Int.random(in: 0..<3, using: &random) > 0 {
            merges.append(Self.merge(source, .random(in: 1..<source, using: &random)))
        }
        let aliases = Aliases(merges.shuffled(using: &random))
        for number in 1...12 as ClosedRange<UInt64> {
            var root = number
            while let next = merges.first(where: { $0.source.rawValue == root }) { root = next.target.rawValue }
            #expect(aliases.person(PersonID(number)) == PersonID(root))
            let all = aliases.all(PersonID(number))
            #expect(Set(all).count == all.count && all.last == PersonID(root))
            #expect(aliases.isOnlyName(PersonID(number)) == (all.count == 1))
            for merge in merges where aliases.person(merge.source) == PersonID(root) {
                let places = [merge.source, merge.target].compactMap { all.firstIndex(of: $0) }
                #expect(places.count == 2 && places[0] < places[1], "\(all): \(merge)")
            }
        }
        var again = aliases
        for merge in merges { again.add(merge) }
        #expect(again == aliases)
    }

    @Test func doubtsAreCounted() {
        var aliases = Aliases([Self.merge(2, 1)])
        aliases.doubt([PersonID(1), PersonID(3)])
        aliases.doubt([PersonID(1)])
        #expect(aliases.isDoubtful(PersonID(2)) && aliases.isDoubtful(PersonID(3)) && !aliases.isTrivial)
        aliases.settle([PersonID(1), PersonID(3)])
        #expect(aliases.isDoubtful(PersonID(1)) && !aliases.isDoubtful(PersonID(3)))
        aliases.settle([PersonID(1)])
        #expect(!aliases.isDoubtful(PersonID(2)))
    }
}
