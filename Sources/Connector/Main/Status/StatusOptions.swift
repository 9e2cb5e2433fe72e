// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// The options of every command that serves a tunnel: what it shows of itself.
struct StatusOptions: ParsableArguments {
    @Flag(name: .customLong("qr"), help: "Show the URL as a QR code when it can be reached.")
    var showsCode = false

    @Flag(
        name: .customLong("log-requests"),
        help: "Log each request, or connection of a tunnel of TCP, when it is over."
    )
    var logsRequests = false
}
