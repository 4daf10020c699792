//! Texts to be asked: short, medium and long, in English and Chinese, or those of the file.

use super::file::Suite;

/// The sets that are built in.
const SETS: [(&str, &[&str]); 3] = [
    (
        "short",
        &[
            "Name three rivers of South America.",
            "Why is the sea salty?",
            "用一句话说明什么是光合作用。",
            "列出三种常见的编程语言。",
        ],
    ),
    (
        "medium",
        &[
            "Explain to a new colleague how a hash table finds a key, what happens when two keys meet in \
             one place, and why the table must sometimes grow.",
            "A bakery sells bread for 4 and cakes for 9. Yesterday it sold 31 things and took 194. How \
             many of each were sold? Show each step.",
            "请解释操作系统中进程与线程的区别，分别说明它们如何共享内存、如何被调度，并举一个适合使用线程的例子。",
        ],
    ),
    (
        "long",
        &[
            "You are reviewing the plan of a small library that wants to lend tools as well as books. The \
             plan says: members may borrow up to three tools for one week; electric tools need a short \
             lesson first; a tool that comes back late costs a small fee for each day; broken tools are \
             repaired by volunteers on Saturdays; the shelf for tools stands beside the entrance, where \
             the staff can see it; every tool has a number that is painted on it; a list on paper says \
             who has which tool. Write a careful answer to the committee: say what works well in this \
             plan, which risks it does not speak of (safety, insurance, theft, noise, storage, the time \
             of the volunteers), what other libraries of this kind usually do about each of them, and end \
             with a schedule for the first three months that names for each week what is to be decided \
             and by whom.",
            "请为一个社区图书馆撰写一份完整的开放方案。现状如下：馆内有两万册图书、三名全职馆员和十二名志愿者，每周\
             开放四十小时；读者以中学生和退休老人为主，周末人多，工作日上午人少；自习座位常常不够，而电子阅览室利用率\
             不高；预算每年只能增加百分之五。方案需要说明：如何调整开放时间与座位分配，如何让志愿者参与借阅与整理工作，\
             如何举办读书活动来吸引上班族，如何评估每项措施的效果，以及如果预算被削减应当先放弃哪些内容。请分点说明\
             理由，并在最后给出前三个月的时间表。",
        ],
    ),
];

/// The texts of a set: the file's, where it has it.
pub(super) fn of(suite: &Suite, set: &str) -> Vec<String> {
    if let Some((_, texts)) = suite.prompts.iter().find(|(name, _)| name == set) {
        return texts.clone();
    }
    let built_in = SETS.iter().find(|(name, _)| *name == set);
    built_in.map_or(Vec::new(), |(_, texts)| texts.iter().map(|text| (*text).to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::super::file::PROMPT_SETS;
    use super::*;

    #[test]
    fn every_set_has_both_languages_and_grows() {
        let suite = Suite::default();
        let sets: Vec<Vec<String>> = PROMPT_SETS.iter().map(|set| of(&suite, set)).collect();
        let is_chinese =
            |text: &String| text.chars().any(|c| ('\u{4e00}'..'\u{a000}').contains(&c));
        for texts in &sets {
            assert!(texts.iter().any(is_chinese) && !texts.iter().all(is_chinese));
        }
        let longest = |texts: &[String]| texts.iter().map(|t| t.chars().count()).max().unwrap();
        let lengths: Vec<usize> = sets.iter().map(|texts| longest(texts)).collect();
        assert!(lengths[0] * 2 < lengths[1] && lengths[1] * 2 < lengths[2], "{lengths:?}");
        let own = Suite { prompts: vec![("short".into(), vec!["x".into()])], ..suite };
        assert_eq!((of(&own, "short"), of(&own, "long").len()), (vec!["x".to_owned()], 2));
    }
}
