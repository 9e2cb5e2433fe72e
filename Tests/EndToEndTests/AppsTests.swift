// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    /// Apps that nobody here wrote, in Chromium, in every mode that a tunnel has.
    @Suite("Apps", .serialized)
    struct Apps {
        /// What `apps check` prints of one app in one mode.
        struct Outcome: Decodable {
            var passed: [String]
            /// The checks that failed, and how.
            var failed: [String: String]
            /// What browser and edge said meanwhile.
            var notes: [String]
        }

        /// What `apps tabs` and `apps strangers` print.
        struct Findings: Decodable {
            var problems: [String]
            var arrived: Int?
            var tries: Int?
        }

        /// A router that reads `location.pathname` finds the tunnel's id in it, and no script may own what is above
        /// its own tunnel.
        private static let apps = [
            App(name: "flask-login", checks: 5),
            App(name: "fastapi-docs", checks: 6),
            App(name: "django-admin", checks: 4),
            App(name: "socket-io", checks: 4, takesBase: false),
            App(name: "origin-socket", checks: 3, takesBase: false),
            App(
                name: "single-page",
                checks: 18,
                fails: [
                    "path": [
                        "router shows the home route", "service worker", "history.pushState, fetch and reload",
                        "plain link to a route",
                    ],
                    // Browsers ask for a manifest without cookies: nothing says whose it is.
                    "root": ["service worker", "manifest"],
                ]
            ),
        ]

        /// Those whose packages are large.
        private static let largeApps = [
            App(name: "jupyterlab", checks: 4),
            App(name: "streamlit", checks: 5),
            App(name: "gradio", checks: 4),
            // It asks for /livereload wherever its pages are.
            App(name: "mkdocs", checks: 4, fails: ["base": ["live reload"]]),
            App(name: "dash", checks: 4),
            App(name: "bokeh", checks: 3),
            App(name: "panel", checks: 3),
            App(name: "nicegui", checks: 4, takesBase: false),
            App(name: "marimo", checks: 3),
            // Its links name the host that it sees.
            App(
                name: "datasette",
                checks: 4,
                fails: ["host": ["next page"], "path": ["next page"], "root": ["next page"], "base": ["next page"]]
            ),
        ]

        /// Holds what came out against the table, and prints a line for each app and mode.
        private func compare(
            _ outcomes: [String: [String: Outcome]],
            with apps: [App],
            modes: [String] = App.modes
        ) throws {
            for app in apps {
                let outcomesOfApp = try #require(outcomes[app.name])
                let direct = try #require(outcomesOfApp["direct"])
                #expect(direct.failed == [:], "\(app.name) itself")
                #expect(direct.passed.count == app.checks)
                for mode in modes where mode != "base" || app.takesBase {
                    let outcome = try #require(outcomesOfApp[mode], "\(app.name) in mode \(mode)")
                    let missing = Set(direct.passed).subtracting(outcome.passed)
                    print("\(app.name), \(mode): \(outcome.passed.count) of \(direct.passed.count) checks")
                    #expect(
                        missing == app.fails[mode] ?? [],
                        "\(app.name) in mode \(mode): \(outcome.failed); \(outcome.notes.joined(separator: "; "))"
                    )
                }
            }
        }

        @Test("What works of an app directly works in host mode, path mode, root mode and with its base")
        func apps() async throws {
            let scratch = try ScratchFolder()
            let names = Self.apps.map(\.name)
            let stage = try await AppStage(names, in: scratch)
            let outcomes = try await stage.result(
                [String: [String: Outcome]].self,
                of: ["check", try scratch.folder("apps").path] + names,
                within: .seconds(300)
            )
            try self.compare(outcomes, with: Self.apps)
        }

        @Test("So it does of large apps", .enabled(if: Programs.isFullSize, "they are gigabytes of packages"))
        func largeApps() async throws {
            let scratch = try ScratchFolder()
            let names = Self.largeApps.map(\.name)
            let stage = try await AppStage(names, in: scratch)
            let outcomes = try await stage.result(
                [String: [String: Outcome]].self,
                of: ["check", try scratch.folder("apps").path] + names,
                within: .seconds(1_500)
            )
            try self.compare(outcomes, with: Self.largeApps)
        }

        @Test("Two tunnels in two tabs, each reloaded in turn: no request reaches the wrong app, whatever asks")
        func tabs() async throws {
            let scratch = try ScratchFolder()
            let stage = try await AppStage(["alpha", "beta"], in: scratch)
            let findings = try await stage.result(Findings.self, of: ["tabs"], within: .seconds(300))
            print("requests that reached their app: \(findings.arrived ?? 0)")
            #expect(findings.problems == [])
            #expect(try #require(findings.arrived) > 500)
        }

        @Test("No page of a stranger reaches a tunnel by what the edge keeps in a visitor's browser")
        func strangers() async throws {
            let scratch = try ScratchFolder()
            let stage = try await AppStage(["alpha", "beta"], in: scratch)
            let findings = try await stage.result(Findings.self, of: ["strangers"], within: .seconds(300))
            print("tries of strangers: \(findings.tries ?? 0)")
            #expect(findings.problems == [])
            #expect(try #require(findings.tries) >= 200)
        }

        @Test("Through Traefik with TLS three apps work as they do without it")
        func behindTraefik() async throws {
            let scratch = try ScratchFolder()
            let apps = Self.apps.filter { ["django-admin", "socket-io", "single-page"].contains($0.name) }
            let certificate = try await SelfSigned(name: "DNS:*.tunnels.test,IP:127.0.0.1", in: scratch)
            let chart = try await ChartFiles(in: scratch)
            let traefik = try await TraefikProxy(chart, certificate: certificate, in: scratch)
            let edge = try await ChartEdge(chart, publicURL: traefik.url, in: scratch)
            try chart.writeDynamic(edgePorts: [edge.port], certificate: certificate)
            try await traefik.waitUntilItAnswers(in: scratch)
            let entrance = AppStage.Entrance(
                edge: traefik.url,
                domain: "tunnels.test",
                certificate: certificate,
                dialled: traefik.url,
                apiKey: chart.apiKey
            )
            let names = apps.map(\.name)
            let stage = try await AppStage(names, entrance: entrance, in: scratch)
            let outcomes = try await stage.result(
                [String: [String: Outcome]].self,
                of: ["check", try scratch.folder("apps").path] + names,
                within: .seconds(200)
            )
            try self.compare(outcomes, with: apps)
        }
    }
}
