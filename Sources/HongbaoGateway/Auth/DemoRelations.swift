import HongbaoCore
package import HongbaoEngine

/// Who is what to whom in a demo, where no system of followers and friends can be asked: made up from people's numbers.
///
/// Two people whose numbers add up to a multiple of four are friends; when it's only a multiple of two, they follow
/// each other. Friends follow each other too, and everybody is their own friend.
package enum DemoRelations {
    package static let relate: ClaimLanes.Relate = { sender, persons in
        persons.map { person in
            guard person != sender else { return [.follower, .friend] }
            switch (sender.rawValue & 3) &+ (person.rawValue & 3) {
            case 0, 4: return [.follower, .friend]
            case 2, 6: return [.follower]
            default: return []
            }
        }
    }
}
