import HongbaoCore
import HongbaoEngine
import NIOCore

/// A user as an app names them, with the phone that they use, if they have one.
struct AccountRequest {
    private enum Field: String, CaseIterable { case app, user, phone, join }
    private static let fields = JSONFields<Field>()
    private static let userLength = 1...64
    /// Digits and a prefix.
    private static let phoneLength = 1...PhoneNumber.digitCount.upperBound + 2

    let app: String
    let user: String
    let phone: PhoneNumber?
    let joins: Bool

    /// - Parameter takesJoin: whether the field `join` may be there.
    init(_ body: ByteBuffer, takesJoin: Bool) throws(Problem) {
        var reader = JSONReader(body)
        var cache = NameCache()
        var (app, user): (String?, String?)
        var phone: PhoneNumber?
        var joins = false
        do throws(JSONFault) {
            try reader.object(Self.fields) { reader, field throws(JSONFault) in
                switch field {
                case .app: app = try reader.name(&cache)
                case .user: user = try reader.identifier(length: Self.userLength)
                case .phone:
                    phone = PhoneNumber(try reader.ascii(length: Self.phoneLength))
                    guard phone != nil else { throw reader.fault(.unacceptableCharacter) }
                case .join:
                    guard takesJoin else { throw JSONFault(.unknownField, field: Field.join.rawValue) }
                    joins = try reader.bool()
                }
            }
            try reader.finish()
            guard let app else { throw .missing(Field.app) }
            guard let user else { throw .missing(Field.user) }
            (self.app, self.user, self.phone, self.joins) = (app, user, phone, joins)
        } catch {
            throw Problem(error)
        }
    }

    /// With the family of accounts that the app is of, and the app's key.
    func login(_ campaigns: CampaignSet) throws(Problem) -> (login: Login, app: String) {
        guard let known = campaigns.campaigns.lazy.compactMap({ $0.app(app) }).first else {
            throw Problem(.appUnknown, param: "app")
        }
        return (Login(family: known.family, user: user, phone: phone), known.key)
    }
}

extension IdentityAnswer {
    var person: PersonID {
        get throws(Problem) { try found.person }
    }

    var found: (person: PersonID, isNew: Bool, merged: PersonID?) {
        get throws(Problem) {
            switch self {
            case .person(let person, let isNew, let merged): return (person, isNew, merged)
            case .unknown: throw Problem(.notFound, param: "user")
            case .phoneInUse: throw Problem(.phoneInUse, param: "phone")
            case .unavailable(let fault): throw Problem(fault)
            }
        }
    }
}
