/// The files in `assets`, each named once: what isn't named here isn't served.
enum Assets {
    static let all: [Asset] = [
        Asset("openapi.json", PackageResources.openapi_json),
        Asset("wallet.css", PackageResources.wallet_css),
    ]
}
