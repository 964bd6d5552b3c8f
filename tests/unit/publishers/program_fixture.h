// The real programs and a real Redis, for the tests of the programs as a whole.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/redis_server.h"
#include "tests/unit/publishers/log_folder.h"

struct redisContext;

namespace weir {

// A running program. It is killed if it still runs at the end.
class Program {
 public:
  Program(const std::string& path, const std::vector<std::string>& arguments);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  pid_t pid() const { return pid_; }
  // Its exit code; -signal if a signal ended it.
  int wait();
  void signal(int number) const;
  // What it has written to standard error.
  std::string errors() const;
  // Waits until it has written `text` there.
  [[nodiscard]] bool await_error(const std::string& text) const;

 private:
  LogFolder folder_;
  pid_t pid_ = -1;
};

// What is published on a channel.
class Subscriber {
 public:
  Subscriber(const RedisServer& redis, const std::string& channel);

  // The next payload; nullopt when the connection has ended, or nothing came for a minute.
  std::optional<std::string> next();
  std::vector<std::string> take(std::size_t count);
  // Everything up to and including `last`.
  std::vector<std::string> take_until(const std::string& last);

 private:
  std::unique_ptr<redisContext, void (*)(redisContext*)> context_;
};

class ProgramTest : public ::testing::Test {
 protected:
  // "--to <redis> --channel news", then `more`.
  std::vector<std::string> arguments(std::vector<std::string> more = {}) const;
  static bool eventually(const std::function<bool()>& holds);

  RedisServer redis_;
  LogFolder folder_;
};

inline const std::string kEnd = R"({"type":"weir:end"})";

}  // namespace weir
