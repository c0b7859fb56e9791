"""What does each figure on the page mean, and who defined it so?"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Term:
    """A figure's name, its meaning, its formula in words, and its source."""

    key: str  # of its anchor
    name: str
    meaning: str
    formula: str
    source: str

    @property
    def anchor(self) -> str:
        """Where it stands on the page."""
        return f"term-{self.key}"


_SOKOLOVA = "Sokolova and Lapalme, Information Processing & Management 45, 2009"
_SKLEARN = "as in scikit-learn"
_OKEEFE = "Altman and Bland, BMJ 308:1552 and 309:102, 1994"

TERMS = (
    Term(
        "loss",
        "Log loss",
        "How surprised the network is by the truth. 0 is perfect; being sure and wrong costs most.",
        "mean over images of −ln(probability given to the true class)",
        "Good, Journal of the Royal Statistical Society B 14, 1952; " + _SKLEARN,
    ),
    Term(
        "accuracy",
        "Accuracy",
        "The share of the test images whose most probable class is the true one. It depends on "
        "how common the classes are among the test images.",
        "images called rightly ÷ all images",
        _SOKOLOVA,
    ),
    Term(
        "interval",
        "95 % interval",
        "The range of true values that fit what was seen. Where groups are known (scenes, "
        "sessions, patients) whole groups are weighed anew, since their images err together; "
        "else a share’s interval is the exact one for independent images, and too narrow where "
        "images resemble each other. Over several seeds the tables give the hull of their "
        "intervals, from the lowest to the highest end.",
        "exact: beta quantiles; groups: 2.5 % and 97.5 % points of 2,000 random weightings of "
        "groups, moved outwards where groups are few or a few are large",
        "Clopper and Pearson, Biometrika 26, 1934; Rubin, Annals of Statistics 9, 1981; "
        "Hesterberg, The American Statistician 69, 2015; Bell and McCaffrey, Survey Methodology "
        "28, 2002",
    ),
    Term(
        "effective-groups",
        "Effective number of groups",
        "How many groups (sessions, scenes) of equal size would weigh as much as those that there "
        "are. Near 1 almost all images come from one group, and nothing says how others would do: "
        "below 5 the interval of a class over groups is withheld.",
        "(sum of group sizes)² ÷ sum of squared group sizes",
        "Kish, Survey Sampling, 1965",
    ),
    Term(
        "precision",
        "Precision",
        "Of the images called a class, the share that belongs to it. Weighted: each class counts "
        "by its images.",
        "images rightly called the class ÷ images called the class",
        _SOKOLOVA,
    ),
    Term(
        "recall",
        "Recall",
        "Of the images of a class, the share that was found. Weighted by class size it equals the "
        "accuracy.",
        "images rightly called the class ÷ images of the class",
        _SOKOLOVA,
    ),
    Term(
        "f1",
        "F1",
        "Precision and recall in one number, low if either is.",
        "2 × precision × recall ÷ (precision + recall)",
        "van Rijsbergen, Information Retrieval, 1979",
    ),
    Term(
        "balanced-accuracy",
        "Balanced accuracy",
        "The mean recall of the classes, so that a rare class counts as much as a common one. "
        "Guessing gives 1 ÷ number of classes.",
        "sum of the classes’ recalls ÷ number of classes",
        "Brodersen et al., ICPR 2010; " + _SKLEARN,
    ),
    Term(
        "sensitivity",
        "Sensitivity",
        "Of the positive (malignant) images, the share that was called positive. At the threshold "
        "of the most probable class unless another one is named.",
        "true positives ÷ (true positives + false negatives)",
        _OKEEFE,
    ),
    Term(
        "specificity",
        "Specificity",
        "Of the negative images, the share that was called negative; of a class among several, of "
        "the images of all other classes the share that was not called it.",
        "true negatives ÷ (true negatives + false positives)",
        _OKEEFE,
    ),
    Term(
        "ppv",
        "PPV",
        "Positive predictive value: how many of those called positive are, where the disease is "
        "as common as stated. That of a test set holds for its own mix only.",
        "sensitivity × prevalence ÷ (sensitivity × prevalence + (1 − specificity) × "
        "(1 − prevalence))",
        "Bayes’ rule; " + _OKEEFE,
    ),
    Term(
        "npv",
        "NPV",
        "Negative predictive value: how many of those called negative are, where the disease is "
        "as common as stated.",
        "specificity × (1 − prevalence) ÷ (specificity × (1 − prevalence) + (1 − sensitivity) × "
        "prevalence)",
        "Bayes’ rule; " + _OKEEFE,
    ),
    Term(
        "prevalence",
        "Prevalence",
        "The share of positive images among those that the classifier is asked. In a collected "
        "image set it is a choice of the collectors, not that of any clinic.",
        "positive images ÷ all images",
        _OKEEFE,
    ),
    Term(
        "auroc",
        "AUROC",
        "The chance that a positive image is ranked above a negative one; 0.5 is guessing. With "
        "more than two classes the mean over classes, each against the rest. Of several folds the "
        "mean over these, each weighted by its images: scores of different networks are no common "
        "scale. A fold without images both of a class and of others is left out.",
        "pairs ranked rightly (ties count half) ÷ pairs of a positive and a negative image",
        "Hanley and McNeil, Radiology 143, 1982; interval: DeLong et al., Biometrics 44, 1988, "
        "over groups Obuchowski, Biometrics 53, 1997",
    ),
    Term(
        "average-precision",
        "Average precision",
        "The area under the staircase of precision against recall; the share of positive images is "
        "guessing. Of several folds the mean over these, as for AUROC.",
        "mean over positive images of the precision among all that score as high or higher",
        "Davis and Goadrich, ICML 2006; " + _SKLEARN,
    ),
    Term(
        "mcc",
        "MCC",
        "Matthews’ correlation of truth and answer: 1 is perfect, 0 no better than chance. It is "
        "high only if all classes are recognised.",
        "covariance of truth and answer ÷ their standard deviations, over classes",
        "Matthews, BBA 405, 1975; several classes: Gorodkin, Computational Biology and Chemistry "
        "28, 2004",
    ),
    Term(
        "brier",
        "Brier score",
        "How far the probabilities are from the truth; 0 is perfect. With two classes 0 to 1, with "
        "more 0 to 2.",
        "mean squared distance between probabilities and truth",
        "Brier, Monthly Weather Review 78, 1950",
    ),
    Term(
        "confusion",
        "Confusion matrix",
        "Counts of images: true classes in rows, predicted ones in columns.",
        "number of images of each true class called each class",
        _SOKOLOVA,
    ),
    Term(
        "macro",
        "Macro",
        "The mean over classes, each counting the same however many images it has; the weighted "
        "one counts each class by its images.",
        "sum of the classes’ figures ÷ number of classes",
        _SOKOLOVA,
    ),
    Term(
        "session",
        "Session",
        "Images that were taken together: one lamp, camera and stain, on one day. Where nobody "
        "wrote that down, the audit infers it from how the backgrounds look, without regard to "
        "the label. Images of a session are alike in ways that have nothing to do with disease.",
        "as a table of groups has it, or clusters of images that look taken together",
        "this software",
    ),
    Term(
        "worst-group",
        "Worst group",
        "The group (scene, session, patient) of at least 10 images with the lowest accuracy. The "
        "worst of many is partly the unluckiest one, so its n and exact interval stand beside it.",
        "lowest accuracy over groups of at least 10 test images",
        "Koh et al., WILDS, ICML 2021",
    ),
    Term(
        "difference",
        "Difference and p",
        "What one network has more right than another on the same images. p is the chance of a "
        "difference at least this large if both were alike: by McNemar’s exact test where images "
        "are independent, else by swapping their answers within whole groups.",
        "accuracy of the first − accuracy of the second, in percentage points",
        "McNemar, Psychometrika 12, 1947; Good, Permutation Tests, 2000",
    ),
    Term(
        "holm",
        "Holm’s p",
        "p adjusted for the number of comparisons in the table: any below 0.05 leaves a chance of "
        "5 % that one of them is a false alarm.",
        "sorted p × number of comparisons not yet passed, never falling",
        "Holm, Scandinavian Journal of Statistics 6, 1979",
    ),
    Term(
        "operating-point",
        "Operating point",
        "The probability from which on an image is called positive: the largest one that reaches "
        "the demanded sensitivity on the validation images. The test images have no say in it, so "
        "that their sensitivity can fall short of what was demanded.",
        "largest threshold with validation sensitivity ≥ the demanded one, in each fold by itself",
        "Zweig and Campbell, Clinical Chemistry 39, 1993",
    ),
    Term(
        "certainty",
        "Certainty",
        "The probability that the network gives its own answer.",
        "largest of the class probabilities",
        "Guo et al., ICML 2017",
    ),
    Term(
        "ece",
        "ECE",
        "Expected calibration error: how far certainty and accuracy differ. Equal width: 15 bins "
        "of certainty; equal mass: 15 bins of as many images each. Chance alone makes it larger on "
        "few images, never smaller than 0.",
        "mean over images of |mean certainty − accuracy| of the image’s bin",
        "Naeini et al., AAAI 2015; Guo et al., ICML 2017; equal mass: Nixon et al., CVPR workshops "
        "2019",
    ),
    Term(
        "temperature",
        "Temperature",
        "One number by which the network’s logits are divided so that its certainties fit the "
        "validation images: above 1 less certain, below 1 more. It changes no answer.",
        "the T with the least log loss of softmax(logits ÷ T), summed over validation images, plus "
        "8 (1 ÷ T − 1)², which keeps T near 1 unless the images speak against it",
        "Guo et al., ICML 2017",
    ),
    Term(
        "prediction-set",
        "Prediction set",
        "All classes that cannot be ruled out for an image, with thresholds set on validation "
        "images class by class. One class is an answer, several or none is “I do not know”.",
        "classes whose 1 − probability is at most the ⌈(n + 1) × coverage⌉-th smallest one among "
        "the n validation images of the class",
        "Vovk, Gammerman and Shafer 2005; Sadinle, Lei and Wasserman, JASA 114, 2019",
    ),
    Term(
        "coverage",
        "Coverage",
        "The share of images whose true class is in their prediction set. At least the demanded "
        "one is promised for each class, on average, and only for images that come from where the "
        "validation images come from.",
        "images with the true class in their set ÷ all images",
        "Vovk, Machine Learning 92, 2013",
    ),
    Term(
        "expected-coverage",
        "Range expected",
        "Where the measured coverage falls in 95 of 100 test sets of this size if test and "
        "validation images come from the same place, one by one. Images of a group are alike, and "
        "folds share some validation images: then it is too narrow.",
        "2.5 % and 97.5 % points of a beta-binomial distribution; over folds, of the sum of one "
        "for each fold",
        "Vovk, Machine Learning 92, 2013",
    ),
    Term(
        "always-covered",
        "Always covered",
        "Test images whose class has so few validation images (in their fold) that no set can be "
        "without it: fewer than 19 for a coverage of 95 %. They are covered whatever the network "
        "says, so that the coverage of the others says more.",
        "images of classes with ⌈(n + 1) × coverage⌉ > n",
        "Vovk, Gammerman and Shafer 2005",
    ),
    Term(
        "answered",
        "Answered",
        "The share of images whose prediction set is one class; the others are referred to a "
        "person.",
        "sets of one class ÷ all images",
        "Vovk, Gammerman and Shafer 2005",
    ),
    Term(
        "aurc",
        "AURC",
        "Area under the risk–coverage curve: the mean share of errors when the least certain "
        "images are left to a person, over all amounts left. 0 is perfect.",
        "mean over images of the share of errors among all that are as certain or more",
        "El-Yaniv and Wiener, JMLR 11, 2010; Geifman et al., ICLR 2019",
    ),
    Term(
        "exchangeability",
        "Exchangeability",
        "Whether validation and test images, or the groups among the test images, could change "
        "places without anybody noticing. The promise of prediction sets needs it.",
        "Kolmogorov–Smirnov test per class (and fold) of 1 − p(true class), images taken as "
        "independent, adjusted by Holm; among groups "
        "the Kruskal–Wallis statistic under permutation within classes",
        "Vovk, Gammerman and Shafer 2005",
    ),
    Term(
        "robustness",
        "Robustness",
        "The figures on the same test images after a graded change of stain, light, focus, "
        "compression or size.",
        "accuracy on the changed test images",
        "Hendrycks and Dietterich, ICLR 2019; stains: Ruifrok and Johnston 2001",
    ),
    Term(
        "novelty",
        "Novelty",
        "How unlike the remembered training images a picture is, in what several layers of the "
        "network see. Above 1 it is called novel; the limit accepts 95 % of the validation images.",
        "distance to the nearest remembered training image ÷ the limit, the largest over layers",
        "Sun et al., ICML 2022; Lee et al., NeurIPS 2018",
    ),
    Term(
        "attention",
        "Attention on nuclei",
        "How much of the heat map of Grad-CAM lies on the nuclei of white cells, found by their "
        "colour. It says where the network looked, not that it was right to.",
        "share: sum of the map over the nuclei ÷ sum of the map; ratio: mean share ÷ mean area of "
        "the nuclei over the same images, 1 for a map that sees nothing",
        "Selvaraju et al., ICCV 2017; nuclei: Otsu, IEEE Transactions on SMC 9, 1979",
    ),
    Term(
        "colour-forest",
        "Colour forest",
        "A random forest on the histogram of the image’s colours. It cannot see a cell, only "
        "stain, light and camera. A network that does not beat it has shown nothing.",
        "500 trees on 48 numbers: 16 bins for each of red, green and blue",
        "Breiman, Machine Learning 45, 2001",
    ),
    Term(
        "majority",
        "Majority class",
        "The commonest class of the training images, for every image.",
        "the class with the most training images, with the classes’ shares as probabilities",
        "this software",
    ),
)

BY_KEY = {term.key: term for term in TERMS}

BRIEFLY = {
    "session": "images that look taken together, with one lamp, camera and stain",
    "interval": "true values that fit what was seen; over sessions, each session counts as one",
    "holm": "p made larger because several differences are tested at once",
    "coverage": "how often the set of classes that a network leaves open holds the true one",
    "novelty": "a picture is called novel if it is unlike the training images",
    "brier": "squared distance between the probabilities and the truth; 0 is perfect",
    "macro": "a mean in which each class counts the same",
}
"""Words of the summary in a few words each, for those who have not met them."""
