#include "broker/bus/function_installer.h"

#include <algorithm>
#include <utility>

#include "broker/base/logging.h"
#include "redis/publish_function.h"
#include "redis/redis_error.h"
#include "redis/redis_reply.h"

namespace weir {
namespace {

constexpr std::string_view kCounterKey = "weir:function";

// What follows `name` in an array of names and values; null if there is no such name.
const redisReply* value_of(const redisReply& map, std::string_view name) {
  if (map.type != REDIS_REPLY_ARRAY) return nullptr;
  for (std::size_t i = 0; i + 1 < map.elements; i += 2) {
    if (text_of(*map.element[i]) == name) return map.element[i + 1];
  }
  return nullptr;
}

// The version of weir_publish in the reply to FUNCTION LIST; 0 if it is not there.
std::uint64_t installed_version(const redisReply& libraries) {
  std::uint64_t version = 0;
  for (std::size_t i = 0; libraries.type == REDIS_REPLY_ARRAY && i < libraries.elements; ++i) {
    const redisReply* const functions = value_of(*libraries.element[i], "functions");
    for (std::size_t j = 0; functions != nullptr && j < functions->elements; ++j) {
      const redisReply* const name = value_of(*functions->element[j], "name");
      const redisReply* const description = value_of(*functions->element[j], "description");
      if (name == nullptr || description == nullptr || text_of(*name) != kPublishFunctionName) continue;
      version = std::max(version, publish_function_version(text_of(*description)));
    }
  }
  return version;
}

}  // namespace

void FunctionInstaller::ensure(Done done) {
  waiting_.push_back(std::move(done));
  if (waiting_.size() > 1) return;
  attempts_ = 0;
  look();
}

void FunctionInstaller::look() {
  ++attempts_;
  error_.clear();
  // Without the right to WATCH a function that is there will do.
  ask_({"WATCH", kCounterKey}, [this](const redisReply* reply) { on_step(reply, false); });
  ask_({"FUNCTION", "LIST", "LIBRARYNAME", kPublishLibraryName},
       [this](const redisReply* reply) { on_list(reply); });
}

void FunctionInstaller::on_list(const redisReply* reply) {
  if (reply == nullptr) return finish(counts_.lost, "the connection to Redis was lost");
  if (reply->type == REDIS_REPLY_ERROR) return refuse(text_of(*reply));
  if (installed_version(*reply) < kPublishFunctionVersion) return error_.empty() ? install() : refuse(error_);
  ask_({"UNWATCH"}, [](const redisReply*) {});
  last_refusal_.clear();
  finish(counts_.present, {});
}

void FunctionInstaller::install() {
  const auto on_any = [this](const redisReply* reply) { on_step(reply, false); };
  ask_({"MULTI"}, on_any);
  ask_({"FUNCTION", "LOAD", "REPLACE", kPublishFunction}, on_any);
  ask_({"INCR", kCounterKey}, on_any);
  ask_({"EXEC"}, [this](const redisReply* reply) { on_step(reply, true); });
}

void FunctionInstaller::on_step(const redisReply* reply, bool is_last) {
  if (reply != nullptr) {
    const auto note = [this](const redisReply& part) {
      if (part.type == REDIS_REPLY_ERROR && error_.empty()) error_ = text_of(part);
    };
    note(*reply);
    for (std::size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; ++i)
      note(*reply->element[i]);
  }
  if (!is_last) return;
  if (reply == nullptr) return finish(counts_.lost, "the connection to Redis was lost");
  if (!error_.empty()) return refuse(error_);
  if (reply->type == REDIS_REPLY_NIL) {
    if (attempts_ < kAttemptsMax) return look();
    return refuse("other gateways install it again and again");
  }
  log_info("redis: installed the function weir_publish, version " + std::to_string(kPublishFunctionVersion));
  last_refusal_.clear();
  finish(counts_.installed, {});
}

void FunctionInstaller::refuse(std::string_view error) {
  const bool is_old = error.starts_with("ERR unknown command");
  const std::string why = is_old ? "durable channels need Redis 7" : std::string(without_arguments(error));
  if (why != last_refusal_) {
    last_refusal_ = why;
    log_warning("redis: can't see to it that the function weir_publish is there: " + why +
                "; an administrator can install what weir-broker --print-function prints (docs/durable.md)");
  }
  finish(counts_.refused, why);
}

void FunctionInstaller::finish(Tally& count, const std::string& why_not) {
  count.add();
  for (const Done& done : std::exchange(waiting_, {})) done(why_not);
}

}  // namespace weir
