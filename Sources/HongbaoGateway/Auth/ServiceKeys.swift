/// The services that may call, found by the digest of the key that they show.
package struct ServiceKeys: Sendable {
    private let keys: [ServiceKey]

    package init(_ keys: [ServiceKey]) { self.keys = keys }

    /// Compares with every key, in a time that doesn't tell which one was near.
    package func caller(showing key: some Collection<UInt8>) -> ServiceKey? {
        let shown = KeyDigest(ofKey: key)
        var found: ServiceKey?
        for key in keys where key.digest.equals(shown) { found = key }
        return found
    }
}
