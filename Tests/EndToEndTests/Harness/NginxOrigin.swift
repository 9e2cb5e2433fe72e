// SPDX-License-Identifier: Apache-2.0

import Foundation

/// nginx as the local server behind a tunnel.
///
/// - `/files/…`: what lies in ``files``; `PUT` stores there.
/// - `/saw/…`: answers any method, and says in `Saw-Method`, `Saw-Target`, `Saw-Body` and others what arrived.
/// - `/moved`: sends the visitor on to `/saw/there`, with a cookie.
final class NginxOrigin {
    let port: Int
    let files: URL
    private let process: RunningProcess

    init(in scratch: ScratchFolder) async throws {
        let port = try FreePort.next()
        let root = try scratch.folder("nginx")
        let files = try scratch.folder("nginx/root/files")
        for name in ["body", "proxy", "fastcgi", "uwsgi", "scgi"] {
            _ = try scratch.folder("nginx/\(name)")
        }
        let configuration = scratch.file("nginx/nginx.conf")
        try Self.configuration(port: port, root: root.path).write(to: configuration, atomically: true, encoding: .utf8)
        let process = try RunningProcess(
            "nginx",
            ["-p", root.path, "-c", configuration.path, "-e", "\(root.path)/error.log"],
            in: scratch
        )
        try await eventually("nginx on port \(port)") {
            guard process.isRunning else { throw HarnessFailure("nginx has ended\n\(process.transcript)") }
            return try await Curl.get("http://127.0.0.1:\(port)/saw/", in: scratch).status == 200 ? () : nil
        }
        self.port = port
        self.files = files
        self.process = process
    }

    private static func configuration(port: Int, root: String) -> String {
        """
        daemon off;
        master_process off;
        pid \(root)/nginx.pid;
        events { worker_connections 2048; }
        http {
            access_log off;
            sendfile on;
            client_max_body_size 0;
            client_body_temp_path \(root)/body;
            proxy_temp_path \(root)/proxy;
            fastcgi_temp_path \(root)/fastcgi;
            uwsgi_temp_path \(root)/uwsgi;
            scgi_temp_path \(root)/scgi;
            server {
                listen 127.0.0.1:\(port) backlog=1024;
                location /files/ {
                    root \(root)/root;
                    dav_methods PUT DELETE;
                }
                # The body is read only when it is passed on: so this asks itself.
                location /saw/ {
                    proxy_pass http://127.0.0.1:\(port)/answer;
                    proxy_http_version 1.1;
                    client_body_buffer_size 64k;
                    add_header Saw-Method $request_method always;
                    add_header Saw-Target $request_uri always;
                    add_header Saw-Body $request_body always;
                    add_header Saw-Host $http_host always;
                    add_header Saw-Forwarded-For $http_x_forwarded_for always;
                    add_header Saw-Forwarded-Proto $http_x_forwarded_proto always;
                    add_header Saw-Forwarded-Prefix $http_x_forwarded_prefix always;
                }
                location /moved {
                    absolute_redirect off;
                    add_header Set-Cookie "a=b; Path=/" always;
                    return 302 /saw/there;
                }
                location /answer { return 200 "the origin was here"; }
            }
        }

        """
    }
}
