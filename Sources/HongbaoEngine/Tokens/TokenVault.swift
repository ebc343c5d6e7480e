import Crypto
package import HongbaoCore

/// Hides tokens from whoever reads them in a hot state, and refuses what was altered there.
///
/// Lists and tokens have names by which nobody knows the person. Each list has a key of its own, so that no key seals
/// more than random nonces are good for.
package struct TokenVault: Sendable {
    /// One person's list in one book, as it's kept outside.
    package struct List: Sendable {
        package let name: [UInt8]
        fileprivate let person: PersonID
        fileprivate let book: BookID
        fileprivate let key: SymmetricKey
    }

    private static let nameSize = 16
    private static let contentSize = 36

    private let naming: SymmetricKey
    private let sealing: SymmetricKey

    package init(_ keyring: Keyring) {
        func key(_ purpose: String) -> SymmetricKey {
            HKDF<SHA256>.deriveKey(
                inputKeyMaterial: keyring.walletWrapping,
                info: Array("hongbao hot tokens 1: \(purpose)".utf8),
                outputByteCount: 32
            )
        }
        naming = key("names")
        sealing = key("lists")
    }

    package func list(of person: PersonID, in book: BookID) -> List {
        var bytes: [UInt8] = [0]
        bytes.append(bigEndian: person.rawValue)
        bytes.append(bigEndian: book.rawValue)
        let name = name(bytes)
        let key = SymmetricKey(data: HMAC<SHA256>.authenticationCode(for: name, using: sealing))
        return List(name: name, person: person, book: book, key: key)
    }

    package func name(of order: OrderNumber) -> [UInt8] {
        var bytes: [UInt8] = [1]
        bytes.append(bigEndian: order.bits)
        return name(bytes)
    }

    private func name(_ bytes: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: bytes, using: naming).prefix(Self.nameSize))
    }

    package func seal(_ grant: OpenGrant, in list: List) -> [UInt8] {
        var content: [UInt8] = []
        content.reserveCapacity(Self.contentSize)
        content.append(bigEndian: grant.order.bits)
        content.append(bigEndian: grant.amount.fen)
        content.append(bigEndian: grant.openedAt.milliseconds)
        content.append(bigEndian: grant.app.rawValue)
        content.append(bigEndian: grant.given)
        do {
            guard let sealed = try AES.GCM.seal(content, using: list.key, authenticating: list.name).combined else {
                preconditionFailure("a nonce of the usual size is combined")
            }
            return Array(sealed)
        } catch {
            preconditionFailure("36 bytes can always be sealed: \(error)")
        }
    }

    /// `nil` for what wasn't sealed in this list.
    package func open(_ bytes: [UInt8], in list: List) -> OpenGrant? {
        let content: [UInt8]
        do {
            let box = try AES.GCM.SealedBox(combined: bytes)
            content = Array(try AES.GCM.open(box, using: list.key, authenticating: list.name))
        } catch {
            return nil
        }
        guard content.count == Self.contentSize else { return nil }
        let span = content.span
        let order = OrderNumber(bits: span.bigEndian(at: 0))
        guard order.person == list.person, order.book == list.book, let amount = Amount(fen: span.bigEndian(at: 16))
        else { return nil }
        return OpenGrant(
            order: order,
            amount: amount,
            openedAt: Timestamp(milliseconds: span.bigEndian(at: 24)),
            app: AppID(span.bigEndian(at: 32)),
            given: span.bigEndian(at: 34)
        )
    }
}
