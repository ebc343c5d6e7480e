import HongbaoCore
import HongbaoEngine

/// Makes grants of the rain, each with an order number of its own: all people in turn, then the next round.
struct GrantSource: Sendable {
    static let campaign = "spring-festival-2022"
    static let scene = "rain"
    static let app = "douyin"
    /// Rounds × award types × stages that the scene's order rule allows.
    static let ordersPerPerson = 20 * 2 * 10

    let people: Int
    private let turns = Turns()

    init(people: Int) { self.people = people }

    var taken: Int { turns.taken }

    /// Distinct, of 16 decimal digits, and spread over all numbers, as the IDs of real people are.
    static func person(_ index: Int) -> PersonID {
        let spread = UInt64(index) &* 0x9E37_79B9_7F4A_7C15 % (1 << 36)
        return PersonID(1_000_000_000_000_000 + spread * 130_000)
    }

    /// The next grants, of different people as long as there are enough.
    func next(_ count: Int) -> [GrantRequest] {
        let first = turns.take(count)
        return (first..<first + count).map { request($0) }
    }

    func request(_ number: Int) -> GrantRequest {
        let parts = parts(number)
        return GrantRequest(
            campaign: Self.campaign,
            scene: Self.scene,
            rain: parts.rain,
            awardType: parts.awardType,
            stage: parts.stage,
            person: parts.person,
            app: Self.app,
            amount: parts.amount
        )
    }

    struct Parts {
        let person: PersonID
        let rain: RainID
        let awardType: UInt8
        let stage: UInt8
        let amount: Int64
    }

    func take() -> Parts { parts(turns.take()) }
    func take(number: Int) -> Parts { parts(number) }

    private func parts(_ number: Int) -> Parts {
        let round = number / people
        precondition(round < Self.ordersPerPerson, "the scene has no more order numbers for \(people) people")
        return Parts(
            person: Self.person(number % people),
            rain: RainID(UInt16(1 + round % 20)),
            awardType: UInt8(1 + round / 20 % 2),
            stage: UInt8(round / 40),
            amount: Int64(100 + number % 900)
        )
    }
}

extension Granting {
    /// Grants that must all be accepted; answers how many.
    func grantAll(_ requests: [GrantRequest]) async throws -> Int {
        for answer in await grant(requests) {
            guard case .granted(let granted) = answer, !granted.isReplay else {
                throw BenchFault("a grant was answered \(answer)")
            }
        }
        return requests.count
    }

    /// Waits until everything accepted is posted.
    func waitUntilPosted() async throws {
        while backlog > 0 { try await Task.sleep(for: .milliseconds(1)) }
    }
}
