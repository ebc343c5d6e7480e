package import HongbaoCore

/// What tests draw from.
package typealias Seeded = SplitMix64
