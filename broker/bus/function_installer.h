// Installs weir_publish (redis/weir.lua) where a Redis has not got it, or has an older one. Never a newer one's
// place is taken: WATCH weir:function, FUNCTION LIST, then MULTI, FUNCTION LOAD REPLACE, INCR weir:function, EXEC. So
// of two gateways that install at once the later one looks again.
//
// Threads:   the bus thread; any for counts().
// Ownership: what `ask` refers to outlives this object, and answers each question, with null if the connection is
//            lost.
// Limits:    kAttemptsMax attempts, each after another gateway has installed at the same time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/tally.h"

struct redisReply;

namespace weir {

class FunctionInstaller {
 public:
  static constexpr unsigned kAttemptsMax = 10;

  // Gets the reply, or null if the connection is lost.
  using Answered = std::function<void(const redisReply*)>;
  // Sends a command; answers come in the order of the questions.
  using Ask = std::function<void(const std::vector<std::string_view>& words, Answered)>;
  // Gets why the function is not there; empty if it is, in this version or a newer one.
  using Done = std::function<void(const std::string& why_not)>;

  struct Counts {
    Tally present;
    Tally installed;
    Tally refused;  // Redis did not let the function be looked for, or installed.
    Tally lost;     // The connection was lost meanwhile.
  };

  explicit FunctionInstaller(Ask ask) : ask_(std::move(ask)) {}

  // Looks for the function and installs it if need be, then calls `done`. While that is under way, others join it.
  void ensure(Done done);

  const Counts& counts() const { return counts_; }

 private:
  void look();
  void on_list(const redisReply* reply);
  void install();
  void on_step(const redisReply* reply, bool is_last);
  void refuse(std::string_view error);
  void finish(Tally& count, const std::string& why_not);

  const Ask ask_;
  std::vector<Done> waiting_;
  unsigned attempts_ = 0;
  std::string error_;  // The first one of this attempt.
  // Logged, and logged again only when another reason comes.
  std::string last_refusal_;
  Counts counts_;
};

}  // namespace weir
