// SPDX-License-Identifier: Apache-2.0

/// A server that speaks first, and no HTTP, as one of SSH does.
struct GreetingServer {
    /// Ends with the last value that names it.
    private let process: RunningProcess
    /// Where it listens, on 127.0.0.1.
    let port: Substring

    init(in scratch: ScratchFolder) async throws {
        let program = """
            import socket
            server = socket.create_server(("127.0.0.1", 0))
            print("port", server.getsockname()[1], flush=True)
            while True:
                peer, _ = server.accept()
                peer.sendall(b"SSH-2.0-OpenSSH_9.2\\r\\n")
            """
        self.process = try RunningProcess("python3", ["-c", program], in: scratch)
        self.port = try await self.process.line(startingWith: "port").dropFirst("port ".count)
    }
}
