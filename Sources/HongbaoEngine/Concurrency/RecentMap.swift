/// A bounded map that forgets what hasn't been used for long: when the young half is full it becomes the old half, and
/// what was old goes. Finding something in the old half moves it to the young one.
package struct RecentMap<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private var young: [Key: Value] = [:]
    private var old: [Key: Value] = [:]
    private let halfMax: Int

    package init(capacity: Int) {
        precondition(capacity >= 2)
        halfMax = capacity / 2
    }

    package var count: Int { young.count + old.count }

    package subscript(key: Key) -> Value? {
        mutating get {
            if let value = young[key] { return value }
            guard let value = old.removeValue(forKey: key) else { return nil }
            insert(value, for: key)
            return value
        }
    }

    package mutating func insert(_ value: Value, for key: Key) {
        if young.count >= halfMax {
            old = young
            young = [:]
        }
        old[key] = nil
        young[key] = value
    }

    package mutating func removeValue(forKey key: Key) -> Value? {
        young.removeValue(forKey: key) ?? old.removeValue(forKey: key)
    }
}
