package import Crypto
package import HongbaoCore

/// The keys of one mint for one epoch: what a node holds while it mints, and what others get to verify and read.
///
/// They live in memory only. A node that starts again begins a new epoch; the old one stays verifiable.
package struct EpochKeys: Sendable {
    package static let validSeconds: Int64 = 24 * 60 * 60

    package let certificate: MintCertificate
    let signingKey: Curve25519.Signing.PrivateKey
    package let dataKey: DataKey
    /// The data key for the wallet role, to be stored beside the certificate.
    package let wrappedDataKey: [UInt8]

    /// Draws new keys and has them certified. The caller sees to it that a mint's epoch numbers never repeat.
    package static func mint(
        _ mint: MintID,
        epoch: UInt32,
        cap: Amount,
        at: Timestamp,
        validSeconds: Int64 = validSeconds,
        keyring: Keyring
    ) -> EpochKeys {
        EpochKeys(
            mint: mint,
            epoch: epoch,
            cap: cap,
            notBefore: at,
            notAfter: at.advanced(bySeconds: validSeconds),
            signingKey: Curve25519.Signing.PrivateKey(),
            dataKey: DataKey(),
            keyring: keyring
        )
    }

    package init(
        mint: MintID,
        epoch: UInt32,
        cap: Amount,
        notBefore: Timestamp,
        notAfter: Timestamp,
        signingKey: Curve25519.Signing.PrivateKey,
        dataKey: DataKey,
        keyring: Keyring
    ) {
        let publicKey = [UInt8](signingKey.publicKey.rawRepresentation)
        let content = MintCertificate.content(
            mint: mint,
            epoch: epoch,
            publicKey: publicKey,
            notBefore: notBefore,
            notAfter: notAfter,
            cap: cap
        )
        certificate = MintCertificate(
            mint: mint,
            epoch: epoch,
            publicKey: publicKey,
            notBefore: notBefore,
            notAfter: notAfter,
            cap: cap,
            signature: keyring.certificateSignature(of: content)
        )
        self.signingKey = signingKey
        self.dataKey = dataKey
        wrappedDataKey = dataKey.wrapped(by: keyring.walletWrapping)
    }
}
