// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// One program for each target: its `main` is libFuzzer's.
let programs = [
    "fuzz-frames", "fuzz-session", "fuzz-metadata", "fuzz-websocket", "fuzz-differential", "fuzz-http1", "fuzz-chunked",
    "fuzz-json", "fuzz-rewrite", "fuzz-answers", "fuzz-capture",
]

let package = Package(
    name: "culvert-fuzz",
    platforms: [.macOS(.v15)],
    dependencies: [
        // Fuzz/run names the same folder by a link.
        .package(name: "culvert", path: Context.environment["CULVERT_PACKAGE"] ?? ".."),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
    ],
    targets: [
        .target(name: "FuzzDriver", dependencies: ["FuzzTargets"], swiftSettings: settings),
        .target(
            name: "FuzzTargets",
            dependencies: [
                .product(name: "ControlAPI", package: "culvert"),
                .product(name: "EdgeProxy", package: "culvert"),
                .product(name: "EdgeTunnels", package: "culvert"),
                .product(name: "HTTP1", package: "culvert"),
                .product(name: "Inspection", package: "culvert"),
                .product(name: "JSONText", package: "culvert"),
                .product(name: "Mux", package: "culvert"),
                .product(name: "Protocol", package: "culvert"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            swiftSettings: settings
        ),
    ]
        + programs.map { name in
            .executableTarget(
                name: name,
                dependencies: ["FuzzDriver", "FuzzTargets"],
                path: "Sources/\(name)",
                swiftSettings: settings
            )
        }
)
