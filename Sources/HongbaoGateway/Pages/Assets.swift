/// The files in `assets`, each named once: what isn't named here isn't served.
enum Assets {
    static let all: [Asset] = [
        Asset("api.js", PackageResources.api_js),
        Asset("money.js", PackageResources.money_js),
        Asset("openapi.json", PackageResources.openapi_json),
        Asset("packet.css", PackageResources.packet_css),
        Asset("packet.html", PackageResources.packet_html),
        Asset("packet.js", PackageResources.packet_js),
        Asset("rewards.js", PackageResources.rewards_js),
        Asset("send.html", PackageResources.send_html),
        Asset("send.js", PackageResources.send_js),
        Asset("session.js", PackageResources.session_js),
        Asset("split.js", PackageResources.split_js),
        Asset("statement.js", PackageResources.statement_js),
        Asset("strings.js", PackageResources.strings_js),
        Asset("total.html", PackageResources.total_html),
        Asset("total.js", PackageResources.total_js),
        Asset("view.js", PackageResources.view_js),
        Asset("wallet.css", PackageResources.wallet_css),
        Asset("wallet.html", PackageResources.wallet_html),
        Asset("wallet.js", PackageResources.wallet_js),
        Asset("withdraw.js", PackageResources.withdraw_js),
    ]
}
