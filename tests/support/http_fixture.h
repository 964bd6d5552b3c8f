// A whole HttpServer on a free port of loopback: the real routes, and a fake gateway behind them.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "broker/api/admin_routes.h"
#include "broker/api/options.h"
#include "broker/api/routes.h"
#include "broker/base/metrics.h"
#include "broker/config.h"
#include "broker/http/server.h"
#include "tests/support/fake_gateway.h"
#include "tests/support/http_client.h"

namespace weir {

class HttpTest : public testing::Test {
 protected:
  HttpTest() {
    config.listen = "127.0.0.1:0";
    config.admin_listen = "127.0.0.1:0";
    config.http_threads = 2;
  }
  ~HttpTest() override {
    if (server) server->stop(std::chrono::milliseconds(0));
  }

  // The routes of an earlier one stay for as long as the test.
  std::unique_ptr<HttpServer> make_server(const Config& of) {
    auto& routes =
        routes_.emplace_back(route_options(of, 1, verifier != nullptr), gateway, metrics, verifier);
    auto& admin_routes = admin_routes_.emplace_back(admin_options(of), gateway, metrics);
    return std::make_unique<HttpServer>(server_options(of), routes, admin_routes, metrics);
  }
  // With what the test has set in `config`.
  void start() {
    server = make_server(config);
    const auto started = server->start();
    ASSERT_TRUE(started) << started.error().message;
  }
  HttpClient connect() {
    if (!server) start();
    return HttpClient(server->port());
  }
  HttpClient connect_admin() {
    if (!server) start();
    return HttpClient(server->admin_port());
  }
  static std::string request(const std::string& method, const std::string& target,
                             const std::string& headers = "", const std::string& body = "") {
    std::string text = method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n" + headers;
    if (method == "POST") text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    return text + "\r\n" + body;
  }
  Response ask(const std::string& method, const std::string& target, const std::string& headers = "",
               const std::string& body = "") {
    HttpClient client = connect();
    client.send(request(method, target, headers, body));
    return client.response(method != "HEAD");
  }

  Config config;
  Metrics metrics;
  FakeGateway gateway;
  const TokenVerifier* verifier = nullptr;
  std::deque<Routes> routes_;
  std::deque<AdminRoutes> admin_routes_;
  std::unique_ptr<HttpServer> server;
};

inline const std::string kEventStream = "Accept: text/event-stream\r\n";

}  // namespace weir
