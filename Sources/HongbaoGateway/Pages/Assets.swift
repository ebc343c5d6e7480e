/// The files in `assets`, each named once: what isn't named here isn't served.
enum Assets {
    static let all: [Asset] = [
        Asset("wallet.css", PackageResources.wallet_css)
    ]
}
