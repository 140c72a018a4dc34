function listOf(words: string): ReadonlySet<string> {
  return new Set(words.trim().split(/\s+/));
}

/**
 * Words that notes often capitalise and that are no names: at the start of a sentence, in a heading or in a form.
 * A sentence whose capitalised words are all in this list cannot hold a name that the server would report.
 */
export const commonWords: ReadonlySet<string> = listOf(`
  A About Abdomen Able Action Acute Address Admission Admitted Advice Advised After Age Aged Alert All Allergic Allergies
  Allergy Also Although An Analgesia And Any Appears Appetite Appointment Apyrexial Arrived As Ask Asked Assessment At Aware
  Background Bed Before Being Bilateral Blood Bloods Both But By Call Called Can Cardiac Care Carer Chest Chronic Clinic
  Clinical Consent Consider Consultant Contact Continue Continued Cost Course Daughter Date Dear Delivered Denied Denies
  Diagnosis Diet Discharge Discharged Discussed Discussion Doctor Dose Drinks Due During Ears Eats Email Emergency Encouraged
  Escalate Examination Examined Eyes Family Father Feels Female Fever Findings First Fluids Follow For Four From Full
  General Given Good Had Has Have He Head Heart Her His History Home Hospital However Husband I If Imaging Impression In
  Increase Independent Information Initially Injury Intermittent Is It Keep Known Last Left Letter Likes Lives Lungs Male
  May Medical Medication Medications Mild Mobile Mobilising Moderate Mother Named Neck New Next Night Nil No None Normal
  Not Note Notes Now Nurse Nursing Observations Occupational Occupation Of On One Only Or Oral Our Outcome Outpatient
  Overnight Pain Past Patient Patients Phone Physio Physiotherapy Plan Please Possible Presented Presenting Previous
  Previously Problem Procedure Progress Pt Pulse Radiology Reason Recheck Record Recovered Reduced Referral Referred
  Refused Regards Repeat Reported Reports Request Requested Requests Respiratory Result Results Review Reviewed Right
  Same Saw Second Seen Senior Settled Severe She Should Since Skin Sleeps Slept Smoker Social Some Son Start Started
  States Stop Stopped Surgery Surgical Symptoms Take Team Tel Telephone Temperature Ten Than Thank That The Their Then
  Therapy There These They Third This Three Three To Today Tolerated Tomorrow Transferred Travelled Treatment Trial Two
  Under Unable Unchanged Until Unwell Urgent Urine Using Very Via Visit Visited Vitals Walks Ward Was We Web Well Were
  When Which While Wife Will Wishes With Without Works Wound Wounds Yes Yesterday Your
`);

/** Titles that stand before a name. */
export const titles: ReadonlySet<string> = listOf(`
  Dr Mr Mrs Ms Miss Mx Prof Professor Nurse Sister Herr Frau Rev Sir Dame
`);

/** Short forms in capitals that are names all the same; every other one is taken for a medical abbreviation. */
export const nameAbbreviations: ReadonlySet<string> = listOf(`
  UK U.K. USA U.S.A. EU NHS WHO
`);

/** A name before one of these words belongs to a disease, a sign or an instrument, not to somebody. */
export const eponymTails: ReadonlySet<string> = listOf(`
  aphasia bodies bypass catheter cells chorea classification coma contracture criteria cyst disease disorder drain
  encephalopathy fracture gland index lymphoma manoeuvre oedema palsy phenomenon position pouch procedure pulse reflex
  respiration scale score sign splint staging stain stockings sum syndrome test thyroiditis tube tumour ulcer
`);

/** Words that the models take for names, and that in a note are something else. */
export const notNames: ReadonlySet<string> = listOf(`
  Addison Alzheimer Babinski Barthel Bell Crohn Cushing Down Foley Graves Hodgkin Huntington Kussmaul Lyme
  Ménière Murphy Parkinson Raynaud Waterlow Wernicke
  Aspirin Amoxicillin Atorvastatin Bisoprolol Codeine Heparin Ibuprofen Insulin Lisinopril Metformin Morphine Omeprazole
  Paracetamol Penicillin Prednisolone Ramipril Salbutamol Sertraline Warfarin
  Christmas Easter Medicine Ophthalmology Cardiology Oncology Neurology Urology Dermatology Paediatrics Orthopaedics
`);
