// A real redis-server of a test's own: on a free port of 127.0.0.1, without persistence, in a folder that
// goes away with it. It dies with the test program, however that ends.
//
// Threads: one at a time. Failures to start or to answer throw std::runtime_error, which fails the test.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace weir {

class RedisServer {
 public:
  using Words = std::vector<std::string>;
  struct Options {
    bool is_started = true;
    bool has_unix_socket = false;
    std::string password = {};  // Empty: none is asked for.
    Words arguments = {};       // More of them, such as {"--maxmemory", "10mb"}.
    // A second port, for TLS: files in PEM. Clients must have a certificate of `client_ca`,
    // unless it is empty.
    struct Tls {
      std::string certificate = {};
      std::string key = {};
      std::string client_ca = {};
    };
    std::optional<Tls> tls = {};
  };

  RedisServer() : RedisServer(Options{}) {}
  explicit RedisServer(Options options);
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  // Returns when it answers PING. After kill() it has the same port again, and has forgotten everything.
  void start();
  // kill -9; nothing if it does not run.
  void kill();
  // SIGSTOP: it accepts connections and says nothing. SIGCONT.
  void pause();
  void resume();

  std::uint16_t port() const { return port_; }
  // "redis://127.0.0.1:<port>", with the password if there is one.
  std::string url() const;
  std::string unix_url() const;
  std::uint16_t tls_port() const { return tls_port_; }
  std::string tls_url(const std::string& host = "127.0.0.1") const;

  // One command's reply: text as it is, numbers in decimal, an error as "-TEXT", nil as "(nil)", an array as
  // its elements with a space in between.
  std::string command(const Words& words) const;
  // Many, written at once on one connection.
  std::vector<std::string> pipeline(const std::vector<Words>& commands) const;
  // The number of connections that subscribe to `channel` by name.
  std::string subscribers(const std::string& channel) const;

 private:
  bool try_start();
  bool is_answering() const;
  std::string log() const;

  const Options options_;
  std::filesystem::path folder_;
  std::uint16_t port_ = 0;
  std::uint16_t tls_port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace weir
