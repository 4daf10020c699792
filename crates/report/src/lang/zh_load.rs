//! Chinese, in simplified characters: what reports of loads, fresh processes, searches and repeated prompts
//! say besides the words that all have.

/// Headings that are another thing in one table: its name, English and Chinese.
pub(super) const OF_TABLES: &[(&str, &str, &str)] = &[
    // Streams or requests a second, not the loading of a model.
    ("pacemark_load", "load", "负载"),
];

/// English and Chinese.
pub(super) const SAID: &[(&str, &str)] = &[
    // What was sent.
    ("{}, {}, {} → {} tokens, {}", "{}，{}，{} → {} 个词元，{}"),
    ("{}: 1 stream", "{}：1 个流"),
    ("{}: {} streams", "{}：{} 个流"),
    ("{#}/s {}", "{}/秒 {}"),
    ("{}: {#}/s {}", "{}：{}/秒 {}"),
    ("constant", "等间隔"),
    ("poisson", "泊松"),
    ("ramp {} {}", "渐变 {} {}"),
    ("{}: ramp {} {}", "{}：渐变 {} {}"),
    ("all at once", "同时发送"),
    ("trace", "轨迹"),
    // Whether its rate would last.
    ("steady", "稳定"),
    ("too short", "太短"),
    ("drifting", "有漂移"),
    ("growing", "排队增长"),
    ("{#}, steady", "{}，稳定"),
    ("{#}, too short", "{}，太短"),
    ("{#}, drifting", "{}，有漂移"),
    ("{#}, growing", "{}，排队增长"),
    ("{#} ({#} to {#}), {}", "{}（{} 至 {}），{}"),
    // Grades: `good` alone is a share of requests.
    ("{} ({#} t/s, ttft {#} ms)", "{}（{} t/s，ttft {} ms）"),
    ("good ({#} t/s, ttft {#} ms)", "良好（{} t/s，ttft {} ms）"),
    ("good: {} t/s, TTFT {} ms (thresholds {})", "良好：{} t/s，TTFT {} ms（阈值 {}）"),
    (
        "grade: good: {} t/s, TTFT {} ms (thresholds {})",
        "评级：良好：{} t/s，TTFT {} ms（阈值 {}）",
    ),
    // Distributions.
    ("{} t/s min", "{} t/s 最小"),
    ("{} t/s max", "{} t/s 最大"),
    ("cold TTFT ms min", "冷启动 TTFT ms 最小"),
    ("cold TTFT ms max", "冷启动 TTFT ms 最大"),
    ("ttft scheduled", "ttft（自计划）"),
    ("e2e scheduled", "e2e（自计划）"),
    ("stream end", "流结束"),
    ("client lag", "定时器延迟"),
    ("end ms", "流结束 ms"),
    ("connect ms", "连接 ms"),
    ("late ms", "迟到 ms"),
    ("lag ms", "定时器延迟 ms"),
    ("ttft sched ms", "ttft（自计划）ms"),
    ("e2e sched ms", "e2e（自计划）ms"),
    // What is to be known of a load.
    (
        "{}: interrupted: 1 request in flight given up and not counted",
        "{}：被中断：放弃了 1 个进行中的请求，不计入",
    ),
    (
        "{}: interrupted: {} requests in flight given up and not counted",
        "{}：被中断：放弃了 {} 个进行中的请求，不计入",
    ),
    (
        "{}: the server's certificate was not checked (--insecure): another may have answered",
        "{}：没有检查服务器的证书（--insecure）：回答的可能是别的服务器",
    ),
    ("{}: {} of {} requests failed: {}, e.g. {}", "{}：{2} 个请求中有 {1} 个失败：{3}，例如 {4}"),
    (
        "{}: {} of {} requests were sent once more, on a new connection: the server had closed theirs without a byte of an answer; their times hold what that took (--connections fresh avoids it)",
        "{}：{2} 个请求中有 {1} 个在新连接上重新发送：服务器没有回答一个字节就关闭了原来的连接；其时间包括由此花费的时间（--connections fresh 可避免）",
    ),
    (
        "{}: {} of {} answers have another number of tokens (by usage) than asked for",
        "{}：{2} 个回答中有 {1} 个的词元数（按 usage）与要求的不同",
    ),
    (
        "{}: {} of {} answers have another number of tokens by usage than by the tokenizer",
        "{}：{2} 个回答中有 {1} 个按 usage 的词元数与按分词器的不同",
    ),
    (
        "{}: {} of {} prompts have fewer tokens by usage than were sent",
        "{}：{2} 个提示词中有 {1} 个按 usage 的词元数少于发送的",
    ),
    (
        "{}: {} of {} answers came whole, though streams were asked for: no time to first token",
        "{}：{2} 个回答中有 {1} 个一次全部到达，尽管要求的是流：没有到第一个词元的时间",
    ),
    (
        "{}: nothing but chunks counted the tokens: gaps are between chunks (ICL), not between tokens (ITL)",
        "{}：词元数只能按数据块计：间隔是数据块之间的（ICL），不是词元之间的（ITL）",
    ),
    (
        "{}: {} of {} answers have not one token a chunk, by {}: gaps are between chunks (ICL), not between tokens (ITL)",
        "{}：按 {3}，{2} 个回答中有 {1} 个不是每个数据块一个词元：间隔是数据块之间的（ICL），不是词元之间的（ITL）",
    ),
    (
        "{}: the number of prompt tokens was not verified: nothing here or at the server counts them",
        "{}：提示词的词元数没有验证：本机与服务器都不计数",
    ),
    (
        "{}: the server found {} % of the prompt tokens in its cache, though every prompt is new: an earlier run or a prefix is shared, and times are too good",
        "{}：服务器在其缓存中找到 {} % 的提示词词元，尽管每个提示词都是新的：与先前的运行或前缀相同，时间偏好",
    ),
    (
        "{}: no steady state: the rate changed by {} % within the window",
        "{}：没有稳态：速率在窗口内变化了 {} %",
    ),
    (
        "{}: no steady state: requests in flight grew by {} %, more arrive than are answered",
        "{}：没有稳态：进行中的请求增加了 {} %，到达的多于得到回答的",
    ),
    (
        "{}: no steady-state window: the last request was sent before all streams had answered",
        "{}：没有稳态窗口：在全部流得到回答之前已发送了最后一个请求",
    ),
    // Fresh processes.
    ("each start", "每次启动"),
    ("of", "方式"),
    ("{}, warm / {}", "{}，热 / {}"),
    ("{}, cold / {}", "{}，冷 / {}"),
    ("{} / {}, warm", "{} / {}，热"),
    ("{} / {}, cold", "{} / {}，冷"),
    ("{}, cold TTFT ms", "{}，冷启动 TTFT ms"),
    ("{}, wall ms", "{}，总时间 ms"),
    ("cut short after {} of {} starts", "在 {1} 次启动中的 {0} 次之后中断"),
    // Searches.
    ("winner", "最佳"),
    ("still racing", "竞速中"),
    ("misses a target", "未达到目标"),
    ("answers too far", "回答相差太远"),
    ("default, {}", "默认，{}"),
    ("{}, default", "{}，默认"),
    ("throughput", "吞吐量"),
    ("decode_tps", "解码速率"),
    ("prefill_tps", "预填充速率"),
    (
        "{} is left, too few rounds before the end to say more",
        "只剩下 {}，结束前的轮数太少，无法说明更多",
    ),
    (
        "the race was not over: after 1 round {} still in it ({})",
        "竞速尚未结束：1 轮之后还有 {} 个（{}）",
    ),
    (
        "the race was not over: after {} rounds {} still in it ({})",
        "竞速尚未结束：{} 轮之后还有 {} 个（{}）",
    ),
    (
        "no setting meets the targets; {} is nearest: {}: {} ({} times the limit)",
        "没有设置达到目标；最接近的是 {}：{}：{}（限值的 {} 倍）",
    ),
    ("no setting is left", "没有剩下任何设置"),
    ("{}: no setting meets it", "{}：没有设置达到"),
    ("{}: missed ({})", "{}：未达到（{}）"),
    ("{}: not measured ({})", "{}：未测量（{}）"),
    ("{}: not shown, too near to tell ({})", "{}：未能证明，太接近，无法判断（{}）"),
    (
        "{}: not shown, about one more run decides ({})",
        "{}：未能证明，大约再运行一次即可判断（{}）",
    ),
    (
        "{}: not shown, about {} more runs decide ({})",
        "{}：未能证明，大约再运行 {} 次即可判断（{}）",
    ),
    (
        "the hypervisor gave {} % of the processors' time to others",
        "虚拟机监控程序把 {} % 的处理器时间给了其他虚拟机",
    ),
    (
        "answers were not compared: weights that are drawn have no quality, so --max-kld decided nothing",
        "没有比较回答：随机生成的权重没有质量可言，所以 --max-kld 没有作用",
    ),
    ("the confirmation was cut short: {} of {} pairs", "确认被中断：{1} 对中的 {0} 对"),
    // Repeated prompts.
    ("overhead", "额外开销"),
    (
        "{} t/s over the whole process, {} t/s over the iterations alone: {} % of the time is start, load, warm-up and rest",
        "按整个进程 {} t/s，仅按迭代 {} t/s：{} % 的时间用于启动、加载、预热与其余",
    ),
    ("cut short after {} of {} iterations", "在 {1} 次迭代中的 {0} 次之后中断"),
    (
        "the model ended its answer after {} of {} tokens",
        "模型在 {1} 个词元中的 {0} 个之后结束回答",
    ),
    ("the time of iteration {} lies far from the others", "第 {} 次迭代的时间与其他相差很远"),
    // Types of weights.
    (
        "{} ({} t/s, mean KLD {}) generates fastest of the types with a mean KLD of at most {}",
        "{}（{} t/s，平均 KLD {}）是平均 KLD 不超过 {} 的类型中生成最快的",
    ),
    (
        "{} ({} t/s, mean KLD {}) generates fastest of the types with a mean KLD of at most {}; {}",
        "{}（{} t/s，平均 KLD {}）是平均 KLD 不超过 {} 的类型中生成最快的；{}",
    ),
    ("it generates {} times as fast as {} ({} to {})", "其生成速度是 {1} 的 {0} 倍（{2} 至 {3}）"),
    (
        "it generates {} times as fast as {} (too few rounds for an interval)",
        "其生成速度是 {1} 的 {0} 倍（轮数太少，没有区间）",
    ),
    // Of one run of several.
    (
        "{}: {#} processes were running on {} processors before the run began: figures may be too low",
        "{}：运行开始前 {2} 个处理器上有 {1} 个进程在运行：数据可能偏低",
    ),
    // A load of several.
    (
        "Figures of each worker's own requests; those of the load are of all requests, pooled. began: its first possible send, after the first worker's. clock: how it is known where its stamps belong on the common axis. off by: the most that this is wrong; latencies are differences of one worker's stamps and never are.",
        "每个工作进程自己的请求的数据；整个负载的数据由全部请求的原始样本得出。开始：其可能的第一次发送的时间，相对于第一个工作进程。时钟：如何得知其时间在共同的时间轴上的位置。误差：该位置的最大误差；延迟是同一工作进程的时间之差，没有该误差。",
    ),
    (
        "Figures of the requests that went to each server. They are spread in turn: request, or conversation, number i to server i modulo their number.",
        "发往各服务器的请求的数据。请求轮流分配：第 i 个请求（或多轮请求的全部）发往第（i 除以服务器数的余数）个服务器。",
    ),
    ("worker", "工作进程"),
    ("server", "服务器"),
    ("began ms", "开始 ms"),
    ("clock", "时钟"),
    ("off by ms", "误差 ms"),
    ("lost", "没有的"),
    ("what failed", "失败的内容"),
    ("same clock", "同一时钟"),
    ("round trip {#} ms", "往返 {} ms"),
    ("wall clock, unmeasured", "系统时间，未测量"),
    ("wall clock, to a second", "系统时间，精确到秒"),
    (
        "died: {}; missing: its share {} of the row, of which it had last told of {#} answers and {#} failures",
        "已终止：{}；没有：该行中其部分 {}，其最后报告了 {} 个回答与 {} 个失败",
    ),
    (
        "worker {} died: {}; missing: its share {} of the row, of which it had last told of {#} answers and {#} failures",
        "工作进程 {} 已终止：{}；没有：该行中其部分 {}，其最后报告了 {} 个回答与 {} 个失败",
    ),
    (
        "{}: worker {} died: {}; missing: its share {} of the row, of which it had last told of {#} answers and {#} failures",
        "{}：工作进程 {} 已终止：{}；没有：该行中其部分 {}，其最后报告了 {} 个回答与 {} 个失败",
    ),
    (
        "{}: all {#} sent together for {#} % of the time only: before and after, the load was less than said",
        "{}：全部 {} 个仅在 {} % 的时间内同时发送：其前后的负载低于所示",
    ),
    (
        "{}: what prompts share is each worker's own: {#} times as much of it in all as --cache says",
        "{}：提示词的共同部分是各工作进程自己的：总量是 --cache 所示的 {} 倍",
    ),
    // What servers tell.
    ("server: {}", "服务器：{}"),
    ("server: {} ({})", "服务器：{}（{}）"),
    ("waiting", "排队数"),
    ("kv use", "KV 占用"),
    ("prompt tokens", "提示词词元"),
    ("generated tokens", "生成词元"),
    ("cached tokens", "缓存词元"),
    ("preemptions", "中断数"),
    ("queue", "排队"),
    ("metrics", "指标"),
    ("mean {#}, most {#}", "平均 {}，最多 {}"),
    ("mean {#} %, most {#} %", "平均 {} %，最多 {} %"),
    ("mean {#} ms of {#}", "平均 {} ms（{} 个）"),
    ("mean {#} ms of {#} (client: mean {#} ms)", "平均 {} ms（{} 个；客户端：平均 {} ms）"),
    ("{#} (client: {#})", "{}（客户端：{}）"),
];
