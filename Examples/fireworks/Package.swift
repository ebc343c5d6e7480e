// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "fireworks",
    dependencies: [.package(name: "hongbao", path: "../..")],
    targets: [
        .executableTarget(name: "fireworks", dependencies: [.product(name: "HongbaoSDK", package: "hongbao")])
    ],
    swiftLanguageModes: [.v6]
)
